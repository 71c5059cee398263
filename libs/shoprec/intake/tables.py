"""Bronze to one of our tables: every mapping of the shop, what was refused, and where each row went."""

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, dataclass
from typing import Protocol

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec import resources
from shoprec.contracts import Table
from shoprec.contracts.silver import QUARANTINE, RECONCILIATION
from shoprec.errors import ConfigError, ContractBroken, first_line
from shoprec.intake.mapping import ORIGIN, VERDICT, map_rows
from shoprec.intake.shop import Shop, TableMapping
from shoprec.reuse import reused

ReadBronze = Callable[[str], DataFrame]
#: Of a bronze dataset: how many rows it has, and its latest ingestion (0: none).
Extent = Callable[[str], tuple[int, int]]
Clean = Callable[[DataFrame], AbstractContextManager[DataFrame]]

#: How the state (SQLSTATE) of an error begins that says of a value that it does not fit: "data exception".
DATA_EXCEPTION = "22"


def map_table(shop: Shop, table: Table, read_bronze: ReadBronze) -> DataFrame | None:
    """All rows of the datasets that ``shop`` maps onto ``table``, with their verdicts; None when it maps none.

    :param read_bronze: gives the rows of a bronze dataset
    :raises ConfigError: a mapping does not fit its dataset
    """
    parts = []
    for mapping in shop.mappings(table):
        names = (mapping.dataset, *(join.dataset for join in mapping.join))
        rows = map_rows(mapping, table, shop.datasets, {name: read_bronze(name) for name in names})
        # The datasets' columns differ: as text their raw rows can stand in one column, and only refusals need it.
        parts.append(rows.withColumn("_raw", F.when(F.col("_reason").isNotNull(), F.to_json("_raw"))))
    return functools.reduce(DataFrame.unionByName, parts) if parts else None


@contextmanager
def computable(shop: Shop, table: Table) -> Iterator[None]:
    """A block in which the rows of ``table`` are mapped.

    :raises ConfigError: an expression of the shop's YAML met a value that it cannot be computed for
    """
    try:
        yield
    except PySparkException as error:
        if not (error.getSqlState() or "").startswith(DATA_EXCEPTION):
            raise
        datasets = ", ".join(dict.fromkeys(mapping.dataset for mapping in shop.mappings(table)))
        context = error.getQueryContext()
        near = f", at {context[0].fragment()!r}" if context and context[0].fragment() else ""
        raise ConfigError(
            f"tables.{table.name} of dataset {datasets}: an expression of the shop's YAML cannot be computed for a "
            f"row{near}: {first_line(error)} — where it is a cast, name the type of its column under `types`, and rows "
            "that do not hold it are refused one by one; else write try_divide, try_add, try_element_at … for it"
        ) from error


def accepted(mapped: DataFrame) -> DataFrame:
    """The rows that are of the table and were not refused, with where they came from."""
    return mapped.where("_reason IS NULL AND NOT _passed_over").drop(*VERDICT)


def refused(mapped: DataFrame) -> DataFrame:
    """The refused rows as silver.quarantine holds them, without the column ``table``."""
    rows = mapped.where("_reason IS NOT NULL").select(
        F.col("_dataset").alias("dataset"),
        "_file",
        "_row",
        "_occurrence",
        "_ingestion_id",
        F.col("_reason").alias("reason"),
        F.col("_raw").alias("raw"),
    )
    return rows.select(*(name for name in QUARANTINE.names if name != "table"))


def commonest_reasons(refusals: DataFrame, before: str) -> str:
    """The three commonest reasons of refused rows in words, with ``before`` ahead of them; empty where there are none.

    :param refusals: dataset, reason
    """
    counts = refusals.groupBy("dataset", "reason").count().orderBy(F.desc("count"), "dataset", "reason")
    # There are no more of them than the shop's mapping and the contract have rules.
    first, others = (rows := counts.collect())[:3], rows[3:]
    words = [f"{row['count']:,} rows of {row['dataset']} for {row['reason']!r}" for row in first]
    if others:
        words.append(f"{sum(row['count'] for row in others):,} for {len(others)} more reasons (silver.quarantine)")
    return before + ", ".join(words) if words else ""


@dataclass(frozen=True)
class Account:
    """Where the rows of one dataset went in one table; a row of silver.reconciliation without the column ``table``."""

    dataset: str
    read: int
    passed_over: int
    refused: int
    duplicate: int
    kept: int
    taken_in: int
    mapping: str

    def __str__(self) -> str:
        parts = [f"{self.kept:,} kept"]
        others = {"refused": self.refused, "duplicate": self.duplicate, "passed over": self.passed_over}
        parts += [f"{count:,} {word}" for word, count in others.items() if count]
        return f"{self.dataset}: {self.read:,} read = {' + '.join(parts)}"


class SilverJob(Protocol):
    """What :func:`take_in` needs of a job's context."""

    shop: Shop
    spark: SparkSession
    rows_in: Callable[[Table], int]
    read: Callable[..., DataFrame]
    read_bronze: ReadBronze
    extent: Extent
    write: Callable[..., int]
    progress: Callable[[str], None]


def take_in(job: SilverJob, table: Table, clean: Clean, *, ordered: bool = True, **values: list[str]) -> bool:
    """Make the whole of a silver table out of bronze; nothing where nothing that decides it changed since.

    :param clean: of the accepted rows, what the table is to hold: its columns and ``_dataset``, used within its block
    :param ordered: whether ``clean`` goes by the order of deliveries; if not, it is not told where rows lay
    :param values: the slice that is replaced, where the table has one
    :returns: False where the shop maps no dataset onto the table: what earlier mappings refused is forgotten then
    :raises ContractBroken: the rows do not hold the contract, and the table is as it was; or rows were lost or added on
        the way, which is seen once it is written
    """
    mapped = map_table(job.shop, table, job.read_bronze)
    if mapped is None:
        _forget(job, table)
        return False
    if _is_current(job, table):
        job.progress(f"nothing that {table.name} is made of changed since it was made")
        return True
    # Refused rows are few, or none: where order does not count, they are mapped once more sooner than all are held with
    # where they lay.
    held = mapped if ordered else mapped.drop(*ORIGIN[1:], "_raw")
    with computable(job.shop, table), reused(held) as judged, clean(accepted(judged)) as kept:
        refusals = refused(judged if ordered else mapped)
        try:
            written = job.write(kept.select(*table.names), table, **values)
        except ContractBroken as error:
            # Quarantine is written last, and would not say it.
            error.args = (f"{error}{commonest_reasons(refusals, before=' — refused before: ')}",)
            raise
        settle(job, table, judged, refusals, _standing(kept, job.shop.mappings(table), written))
    return True


def empty(job: SilverJob, table: Table, **values: list[str]) -> None:
    """Leave nothing in a table onto which the shop maps no dataset (any more)."""
    if job.rows_in(table):
        job.write(_none_of(job, table), table, **values)


def _forget(job: SilverJob, table: Table) -> None:
    for about in (QUARANTINE, RECONCILIATION):
        if not job.read(about, table=table.name).isEmpty():
            job.write(_none_of(job, about).drop("table"), about, table=table.name)


def _none_of(job: SilverJob, table: Table) -> DataFrame:
    schema = ", ".join(f"`{column.name}` {column.type}" for column in table.columns)
    return job.spark.createDataFrame([], schema)


def _is_current(job: SilverJob, table: Table) -> bool:
    """Whether every dataset of ``table`` is in it as bronze has it now."""
    before = taken_in_before(job, table)
    return before is not None and all(job.extent(name)[1] == last for name, last in before.items())


def taken_in_before(job: SilverJob, table: Table) -> dict[str, int] | None:
    """The latest ingestion of each dataset that ``table`` holds; None when all of it is to be made (again)."""
    before = job.read(RECONCILIATION, table=table.name).collect()
    datasets = {mapping.dataset for mapping in job.shop.mappings(table)}
    same = {row["mapping"] for row in before} == {mapping_digest(job.shop, table, job.extent)}
    # A table that somebody removed is made empty before the first job.
    same = same and job.rows_in(table) == sum(row["kept"] for row in before)
    return {row["dataset"]: row["taken_in"] for row in before} if same and len(before) == len(datasets) else None


def _standing(kept: DataFrame, mappings: Sequence[TableMapping], written: int) -> dict[str, int]:
    """Rows of each dataset in the table. The first has what the others leave, which spares going through it again."""
    first, *others = dict.fromkeys(mapping.dataset for mapping in mappings)
    counts = kept.where(F.col("_dataset").isin(others)).groupBy("_dataset").count().collect() if others else []
    standing = {row["_dataset"]: row["count"] for row in counts}
    return standing | {first: written - sum(standing.values())}


def settle(job: SilverJob, table: Table, judged: DataFrame, refusals: DataFrame, standing: Mapping[str, int]) -> None:
    """Write what ``table`` refused to silver.quarantine and where all rows went to silver.reconciliation, last of all.

    :param judged: all rows with their verdicts
    :param refusals: what ``refused`` gives of them
    :param standing: how many rows of each dataset stand in the table
    :raises ContractBroken: rows were lost or added on the way
    """
    made = accounts(job.shop, table, judged, standing, job.extent)
    told = sum(account.refused for account in made)
    # An empty write takes as long as one of a few rows: only where earlier refusals are to go.
    if told or not job.read(QUARANTINE, table=table.name).isEmpty():
        if not told:
            refusals = judged.sparkSession.createDataFrame([], refusals.schema)
        written = job.write(refusals, QUARANTINE, table=table.name)
        if written != told:
            raise ContractBroken(
                f"silver.quarantine got {written} rows of {table.name}, of which {told} were refused: an expression of "
                "the shop gives another result each time — write one that does not"
            )
    schema = ", ".join(f"{c.name} {c.type}" for c in RECONCILIATION.columns if c.name != "table")
    rows = judged.sparkSession.createDataFrame([astuple(account) for account in made], schema)
    job.write(rows, RECONCILIATION, table=table.name)
    for account in made:
        job.progress(str(account))
    if told:
        job.progress(commonest_reasons(job.read(QUARANTINE, table=table.name), before="refused: "))


def accounts(shop: Shop, table: Table, judged: DataFrame, standing: Mapping[str, int], extent: Extent) -> list[Account]:
    """One account for each dataset that ``shop`` maps onto ``table``: as many entries as the YAML has mappings.

    :param judged: all rows with their verdicts
    :param standing: how many rows of each dataset stand in the table
    :raises ContractBroken: rows were lost or added on the way
    """
    verdicts = judged.groupBy("_dataset").agg(
        F.count_if("_passed_over").alias("passed_over"),
        F.count_if(F.col("_reason").isNotNull()).alias("refused"),
        F.count_if(F.col("_reason").isNull() & ~F.col("_passed_over")).alias("accepted"),
    )
    counted = {row["_dataset"]: row for row in verdicts.collect()}
    digest, made = mapping_digest(shop, table, extent), []
    for mapping in shop.mappings(table):
        name = mapping.dataset
        read, taken_in = extent(name)
        seen = counted[name].asDict() if name in counted else {"passed_over": 0, "refused": 0, "accepted": 0}
        keeps = standing.get(name, 0)
        if read != seen["passed_over"] + seen["refused"] + seen["accepted"] or not 0 <= keeps <= seen["accepted"]:
            raise ContractBroken(
                f"silver.{table.name}: the rows of {name} do not reconcile: {read} read, {seen}, {keeps} kept — "
                "the mapping lost or added rows; this is a fault of the suite, please report it"
            )
        duplicate = seen["accepted"] - keeps
        made.append(Account(name, read, seen["passed_over"], seen["refused"], duplicate, keeps, taken_in, digest))
    return made


def mapping_digest(shop: Shop, table: Table, extent: Extent) -> str:
    """What decides a table beside the rows of its datasets: mappings, types, lookups' deliveries, zone and code."""
    mappings = shop.mappings(table)
    looked_up = sorted({join.dataset for mapping in mappings for join in mapping.join})
    told: Mapping[str, object] = {
        "mappings": [mapping.model_dump(mode="json") for mapping in mappings],
        "types": {name: dataset.types for name, dataset in shop.datasets.items()},
        "lookups": {name: extent(name) for name in looked_up},
        "zone": shop.time_zone,
        "code": resources.code_digest(),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def extent_of(rows: DataFrame) -> tuple[int, int]:
    """How many ``rows`` of a bronze dataset there are, and their latest ingestion; 0 where there are none."""
    found = rows.agg(F.count(F.lit(1)).alias("rows"), F.max("_ingestion_id").alias("last")).first()
    return found["rows"], found["last"] or 0
