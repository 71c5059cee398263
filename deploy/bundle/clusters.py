"""The job clusters: one for each kind of ``compute`` in conf/pipeline.yml."""

from databricks.bundles.jobs import AutoScale, ClusterSpec, DataSecurityMode, DockerImage, JobCluster

from bundle.variables import Variables

#: Training opens processes of its own on the workers, and the lake asks the driver's JVM for files: both need a cluster
#: that one identity has to itself.
ACCESS = DataSecurityMode.DATA_SECURITY_MODE_DEDICATED


def cpu_cluster() -> JobCluster:
    """Workers that come and go with the load."""
    spec = ClusterSpec(
        spark_version=Variables.cpu_runtime,
        node_type_id=Variables.cpu_node_type,
        autoscale=AutoScale(min_workers=1, max_workers=Variables.cpu_workers),
        data_security_mode=ACCESS,
        spark_env_vars=places(),
        spark_conf=checkpoints(),
    )
    return JobCluster(job_cluster_key="cpu", new_cluster=spec)


def gpu_cluster(image: str) -> JobCluster:
    """A fixed number of workers, since a training's ranks are fixed when it starts.

    :param image: name of the image with Horovod and NCCL; '': the ML runtime, without Horovod
    """
    spec = ClusterSpec(
        spark_version=Variables.image_runtime if image else Variables.gpu_runtime,
        docker_image=DockerImage(url=Variables.gpu_image) if image else None,
        node_type_id=Variables.gpu_node_type,
        num_workers=Variables.gpu_workers,
        data_security_mode=ACCESS,
        spark_env_vars=places(),
        # One task has one GPU, so that each rank of a training has its own.
        spark_conf={**checkpoints(), "spark.task.resource.gpu.amount": "1"},
    )
    return JobCluster(job_cluster_key="gpu", new_cluster=spec)


def places() -> dict[str, str]:
    """Where things are, for the ${…} of conf/env and conf/shops."""
    return {
        "SHOPREC_TABLES": f"{Variables.catalog}.{Variables.schema}",
        "SHOPREC_FILES": files(),
        "SHOPREC_DATA": f"{Variables.data}",
    }


def checkpoints() -> dict[str, str]:
    """Spark ML's ALS cuts its lineage there."""
    return {"spark.checkpoint.dir": f"{files()}/checkpoints"}


def files() -> str:
    """The folder of training snapshots, models and exports."""
    return f"/Volumes/{Variables.catalog}/{Variables.schema}/{Variables.volume}"
