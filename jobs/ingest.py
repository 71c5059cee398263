"""ingest: the shop's raw files into bronze, each file once, each row with where it came from."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.context import bronze_table
from shoprec.contracts.bronze import LINEAGE, bronze
from shoprec.contracts.core import Column, Table
from shoprec.errors import ConfigError, ContractBroken, first_line
from shoprec.intake.lineage import with_lineage
from shoprec.intake.readers import Delivery, deliver, unreadable
from shoprec.intake.shop import MAPPED, Dataset
from shoprec.intake.tables import map_table
from shoprec.job import Job, JobContext, cli
from shoprec.lake import Written

#: Datasets that are taken in at a time.
AT_ONCE = 4


def run(job: JobContext) -> None:
    """Take in what is new of every dataset. Each is one commit: a run that was killed goes on where it ended.

    Some at a time: a dataset of one large file keeps one core busy while others pass. Before anything is taken in,
    every dataset is looked at, and whether the shop's YAML fits its columns: what does not is found now and not later.
    """
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="dataset") as pool:
        news = dict(
            zip(job.shop.datasets, pool.map(lambda each: _look(job, *each), job.shop.datasets.items()), strict=True)
        )
        _check_mappings(job, {name: delivery for name, (delivery, _) in news.items()})
        for done in [pool.submit(_take_in, job, name, *new) for name, new in news.items()]:
            done.result()
    order = [bronze_name(name) for name in job.shop.datasets]
    job.written.sort(key=lambda written: order.index(written.table))


def _taken_in(job: JobContext, name: str) -> tuple[dict[str, int], int]:
    """The files of a dataset that are in bronze, with their bytes, and the number of the latest ingestion."""
    table = bronze_table(name)
    if not job.lake.exists(table):
        return {}, 0
    lineage = F.max("_file_bytes").alias("bytes"), F.max("_ingestion_id").alias("n")
    rows = job.lake.read(table).groupBy("_file").agg(*lineage).collect()
    return {row["_file"]: row["bytes"] for row in rows}, max((row["n"] for row in rows), default=0)


def _look(job: JobContext, name: str, dataset: Dataset) -> tuple[Delivery, int]:
    """What is new of a dataset, and the number that its ingestion will have."""
    known, last = _taken_in(job, name)
    return deliver(job.spark, name, dataset, known), last + 1


def _check_mappings(job: JobContext, deliveries: Mapping[str, Delivery]) -> None:
    """Nothing is read for it but the columns.

    :raises ConfigError: an expression of the shop's YAML does not fit the columns of its dataset
    """
    datasets = {name: _as_bronze(job, name, delivery) for name, delivery in deliveries.items()}
    for table in MAPPED.values():
        map_table(job.shop, table, datasets.__getitem__)


def _as_bronze(job: JobContext, name: str, delivery: Delivery) -> DataFrame:
    """The dataset with the columns that its table will have once the delivery is taken in."""
    table = bronze_table(name)
    there = job.lake.read(table) if job.lake.exists(table) else delivery.rows
    if there is None:
        raise ConfigError(
            f"dataset {name}: all of its {len(delivery.files)} files are empty, not even its columns are known — "
            "deliver files with a header, or take the dataset out of the shop's YAML"
        )
    new = {field.name: field.dataType for field in delivery.rows.schema.fields} if delivery.rows else {}
    # Delta's names are the same in either case.
    known = {name.lower() for name in there.columns}
    added = {column.name: column.type for column in LINEAGE} | new
    return there.withColumns({c: F.lit(None).cast(kind) for c, kind in added.items() if c.lower() not in known})


def _take_in(job: JobContext, name: str, delivery: Delivery, ingestion_id: int) -> None:
    dataset = job.shop.datasets[name]
    try:
        if delivery.rows is None or delivery.rows.isEmpty():
            empty = f"{len(delivery.files)} new files without rows, " if delivery.files else ""
            if delivery.rows is not None and not job.lake.exists(bronze_table(name)):
                # Of which only its columns are known: later jobs then find no rows, not no table.
                job.lake.ensure([_contract(name, delivery.rows)])
            job.progress(f"{name}: nothing new ({empty}{delivery.known_files} files known)")
            return
        _tell_lacking(job, name, delivery.rows)
        with with_lineage(delivery.rows, ingestion_id) as rows:
            _append(job, name, rows, ingestion_id)
    except (PySparkException, Py4JJavaError) as error:
        if "FAILED_READ_FILE" in str(error) or "CSV header" in str(error):
            raise unreadable(name, dataset, error) from error
        if "DELTA_FAILED_TO_MERGE_FIELDS" in str(error):
            raise ConfigError(
                f"dataset {name}: columns of the new files are of other types than before: {first_line(error)} — "
                "deliver them with the types of the earlier files, or use another lake with --set tables=…"
            ) from error
        raise
    count = job.lake.read(bronze_table(name)).where(F.col("_ingestion_id") == ingestion_id).count()
    job.written.append(Written(bronze_name(name), job.lake.version(bronze_table(name)), count))
    job.progress(f"{name}: {count:,} rows of {len(delivery.files)} new files ({delivery.known_files} known)")


def _tell_lacking(job: JobContext, name: str, rows: DataFrame) -> None:
    """A column that a delivery lacks may be meant, or renamed by mistake: it is null there, and that is said."""
    table = bronze_table(name)
    known = job.lake.read(table).columns if job.lake.exists(table) else []
    new = {column.lower() for column in rows.columns} | {column.name for column in LINEAGE}
    if lacking := [column for column in known if column.lower() not in new]:
        job.progress(f"warning: {name}: the new files lack {', '.join(lacking)}, which earlier ones had: null in them")


def bronze_name(dataset: str) -> str:
    """What a dataset's table is called in the run's record."""
    return f"bronze.{dataset}"


def _append(job: JobContext, name: str, rows: DataFrame, ingestion_id: int) -> None:
    table = _contract(name, rows)
    if not job.lake.exists(table):
        job.lake.ensure([table])
    columns = (f"`{column}`" for column in table.names)
    if not job.lake.append(rows.select(*columns), table, f"ingest:{name}", ingestion_id):
        raise ContractBroken(
            f"bronze.{name}: ingestion {ingestion_id} was taken for one made before, and wrote nothing — another "
            "ingest took the number at the same moment: run this one again; or rows of the latest ingestion were "
            "deleted by hand: use another lake with --set tables=…"
        )


def _contract(name: str, rows: DataFrame) -> Table:
    lineage = {column.name for column in LINEAGE}
    own = tuple(Column(c, kind, "as read", nullable=True) for c, kind in rows.dtypes if c not in lineage)
    return bronze(name, own)


JOB = Job(name="ingest", about=__doc__, run=run)

if __name__ == "__main__":
    cli(JOB)
