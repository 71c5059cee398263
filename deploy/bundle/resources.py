"""What the Databricks CLI loads: a job that makes and publishes a run, and one that judges an earlier run."""

from databricks.bundles.core import Bundle, Resources, Variable
from databricks.bundles.jobs import (
    CronSchedule,
    Job,
    JobEmailNotifications,
    JobParameterDefinition,
    JobPermission,
    JobPermissionLevel,
    JobsHealthMetric,
    JobsHealthOperator,
    JobsHealthRule,
    JobsHealthRules,
    PauseStatus,
    QueueSettings,
    Task,
)

from bundle.clusters import cpu_cluster, gpu_cluster
from bundle.tasks import tasks, training
from bundle.variables import Variables
from shoprec.config import load_graph

#: Seconds after which a run that still goes is reported, and after which it is stopped.
SLOW, STOP = 4 * 3600, 12 * 3600


def load_resources(bundle: Bundle) -> Resources:
    """The jobs for the target that is being deployed.

    A run is named by its as-of date and Databricks' own run id, so that a repaired run goes on under its name, and a
    second run for the same date never touches what the first has published.
    """
    graph, image = load_graph(), bundle.resolve_variable(Variables.gpu_image)
    told = ["--env", bundle.target, "--shop", f"{Variables.shop}"]
    settings = training(graph.jobs, image)
    run_id = ["--run-id", "{{job.parameters.as_of}}-{{job.parameters.run}}"]
    making = tasks(graph.jobs, [*told, *run_id, *settings])
    judging = tasks(graph.judging, [*told, *settings])
    run = JobParameterDefinition(name="run", default="{{job.run_id}}")
    resources = Resources()
    resources.add_job("pipeline", _job("pipeline", bundle, making, Variables.schedule, image, [run]))
    resources.add_job("judging", _job("judging", bundle, judging, Variables.judging_schedule, image, []))
    return resources


def _job(
    name: str,
    bundle: Bundle,
    its_tasks: list[Task],
    schedule: Variable[str],
    image: str,
    parameters: list[JobParameterDefinition],
) -> Job:
    clusters = {"cpu": cpu_cluster(), "gpu": gpu_cluster(image)}
    used = sorted({task.job_cluster_key for task in its_tasks})
    return Job(
        name=f"shoprec {name}",
        description=f"conf/pipeline.yml, part {'jobs' if name == 'pipeline' else name}: one task for each job and date",
        tasks=its_tasks,
        job_clusters=[clusters[key] for key in used],
        parameters=[JobParameterDefinition(name="as_of", default="{{job.start_time.iso_date}}"), *parameters],
        schedule=CronSchedule(
            quartz_cron_expression=schedule,
            timezone_id=Variables.time_zone,
            pause_status=PauseStatus.UNPAUSED if bundle.target == "prod" else PauseStatus.PAUSED,
        ),
        # Two runs at once would race for the same place after the last published run, and one would lose.
        max_concurrent_runs=1,
        queue=QueueSettings(enabled=True),
        timeout_seconds=STOP,
        health=JobsHealthRules(
            rules=[
                JobsHealthRule(
                    metric=JobsHealthMetric.RUN_DURATION_SECONDS, op=JobsHealthOperator.GREATER_THAN, value=SLOW
                )
            ]
        ),
        email_notifications=JobEmailNotifications(
            on_failure=[Variables.notify], on_duration_warning_threshold_exceeded=[Variables.notify]
        ),
        permissions=[
            JobPermission(level=JobPermissionLevel.CAN_MANAGE_RUN, group_name=Variables.operators),
            JobPermission(level=JobPermissionLevel.CAN_VIEW, group_name=Variables.readers),
        ],
        tags={"project": "shoprec"},
    )
