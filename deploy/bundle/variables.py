"""The bundle's variables, as deploy/databricks.yml declares and describes them."""

from databricks.bundles.core import Variable, variables


@variables
class Variables:
    """Each stands for ``${var.<name>}``; the CLI puts in the value of the chosen target."""

    catalog: Variable[str]
    schema: Variable[str]
    volume: Variable[str]
    shop: Variable[str]
    data: Variable[str]
    cpu_node_type: Variable[str]
    cpu_workers: Variable[int]
    gpu_node_type: Variable[str]
    gpu_workers: Variable[int]
    ranks: Variable[int]
    gpu_image: Variable[str]
    cpu_runtime: Variable[str]
    gpu_runtime: Variable[str]
    image_runtime: Variable[str]
    schedule: Variable[str]
    judging_schedule: Variable[str]
    time_zone: Variable[str]
    notify: Variable[str]
    operators: Variable[str]
    readers: Variable[str]
    service_principal: Variable[str]
