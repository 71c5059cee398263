"""Bronze to one of our tables: every mapping of the shop, what was refused, and where each row went."""

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec import resources
from shoprec.contracts import Table
from shoprec.contracts.silver import QUARANTINE, RECONCILIATION
from shoprec.errors import ContractBroken
from shoprec.intake.mapping import VERDICT, map_rows
from shoprec.intake.shop import Shop

ReadBronze = Callable[[str], DataFrame]


def map_table(shop: Shop, table: Table, read_bronze: ReadBronze) -> DataFrame | None:
    """All rows of the datasets that ``shop`` maps onto ``table``, with their verdicts; None when it maps none.

    :param read_bronze: gives the rows of a bronze dataset
    :raises ConfigError: a mapping does not fit its dataset
    """
    parts = []
    for mapping in shop.mappings(table):
        names = (mapping.dataset, *(join.dataset for join in mapping.join))
        rows = map_rows(mapping, table, shop.datasets, {name: read_bronze(name) for name in names})
        # The datasets' columns differ: as text their raw rows can stand in one column.
        parts.append(rows.withColumn("_raw", F.to_json("_raw")))
    return functools.reduce(DataFrame.unionByName, parts) if parts else None


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


def accounts(
    shop: Shop, table: Table, mapped: DataFrame, kept: DataFrame, standing: int, read_bronze: ReadBronze
) -> list[Account]:
    """One account for each dataset that ``shop`` maps onto ``table``: as many entries as the YAML has mappings.

    :param mapped: all rows with their verdicts
    :param kept: the rows that stand in the table, with ``_dataset``
    :param standing: how many rows stand in the table as it was written
    :raises ContractBroken: rows were lost or added on the way
    """
    verdicts = mapped.groupBy("_dataset").agg(
        F.count_if("_passed_over").alias("passed_over"),
        F.count_if(F.col("_reason").isNotNull()).alias("refused"),
        F.count_if(F.col("_reason").isNull() & ~F.col("_passed_over")).alias("accepted"),
    )
    counted = {row["_dataset"]: row for row in verdicts.collect()}
    stands = _standing(kept, standing, {name: row["accepted"] for name, row in counted.items()})
    digest, made = mapping_digest(shop, table, read_bronze), []
    for mapping in shop.mappings(table):
        name = mapping.dataset
        read, taken_in = _extent(read_bronze(name))
        seen = counted[name].asDict() if name in counted else {"passed_over": 0, "refused": 0, "accepted": 0}
        keeps = stands.get(name, 0)
        if read != seen["passed_over"] + seen["refused"] + seen["accepted"] or not 0 <= keeps <= seen["accepted"]:
            raise ContractBroken(
                f"silver.{table.name}: the rows of {name} do not reconcile: {read} read, {seen}, {keeps} kept — "
                "the mapping lost or added rows; this is a fault of the suite, please report it"
            )
        duplicate = seen["accepted"] - keeps
        made.append(Account(name, read, seen["passed_over"], seen["refused"], duplicate, keeps, taken_in, digest))
    return made


def _standing(kept: DataFrame, standing: int, accepted_rows: Mapping[str, int]) -> dict[str, int]:
    """Rows of each dataset in the table. The largest has what the others leave, which spares going through it again."""
    largest = max(accepted_rows, key=lambda name: (accepted_rows[name], name), default=None)
    others = kept.where(F.col("_dataset").isin([name for name in accepted_rows if name != largest]))
    counts = {row["_dataset"]: row["count"] for row in others.groupBy("_dataset").count().collect()}
    return counts | ({largest: standing - sum(counts.values())} if largest else {})


def settle(
    shop: Shop,
    table: Table,
    mapped: DataFrame,
    kept: DataFrame,
    standing: int,
    read_bronze: ReadBronze,
    write: Callable[..., None],
) -> list[Account]:
    """Write what ``table`` refused to silver.quarantine and where all rows went to silver.reconciliation, last of all.

    :param mapped: all rows with their verdicts
    :param kept: the rows that stand in the table, with ``_dataset``
    :param standing: how many rows stand in the table as it was written
    :param write: of the job: (rows, table, slice …)
    :returns: the accounts, for the user
    :raises ContractBroken: rows were lost or added on the way
    """
    made = accounts(shop, table, mapped, kept, standing, read_bronze)
    nothing_refused = not any(account.refused for account in made)
    write(refused(mapped.limit(0) if nothing_refused else mapped), QUARANTINE, table=table.name)
    schema = ", ".join(f"{c.name} {c.type}" for c in RECONCILIATION.columns if c.name != "table")
    rows = mapped.sparkSession.createDataFrame([astuple(account) for account in made], schema)
    write(rows, RECONCILIATION, table=table.name)
    return made


def mapping_digest(shop: Shop, table: Table, read_bronze: ReadBronze) -> str:
    """What decides a table beside the rows of its datasets: mappings, types, lookups' deliveries, zone and code."""
    mappings = shop.mappings(table)
    looked_up = sorted({join.dataset for mapping in mappings for join in mapping.join})
    told: Mapping[str, object] = {
        "mappings": [mapping.model_dump(mode="json") for mapping in mappings],
        "types": {name: dataset.types for name, dataset in shop.datasets.items()},
        "lookups": {name: _extent(read_bronze(name)) for name in looked_up},
        "zone": shop.time_zone,
        "code": resources.code_digest(),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _extent(rows: DataFrame) -> tuple[int, int]:
    """How many rows a bronze dataset has, and its latest ingestion."""
    found = rows.agg(F.count(F.lit(1)).alias("rows"), F.max("_ingestion_id").alias("last")).first()
    return found["rows"], found["last"] or 0
