"""Writing to the lake: slices, audits, idempotence, and what readers see while others write."""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec import audit
from shoprec.context import Job, JobContext
from shoprec.contracts import Column, Table, Write
from shoprec.contracts.gold import CANDIDATES
from shoprec.errors import ConfigError, ContractBroken
from shoprec.hashes import counted as hash_counts
from shoprec.lake import Lake
from shoprec.session import RESULTS
from tests.lake.stock import DAY, LEVELS, STOCK, commit_elsewhere, content, stock


def test_a_write_replaces_its_slice_alone(lake: Lake, spark: SparkSession) -> None:
    lake.ensure([STOCK])
    lake.replace(stock(spark, ("x", 1, 1.0), ("y", 2, None)), STOCK, shelf="a")
    lake.replace(stock(spark, ("x", 3, 0.5)), STOCK, shelf="b")
    written = lake.replace(stock(spark, ("z", 4, 2.0)), STOCK, shelf="a")
    assert content(lake) == {("a", "z", 4, 2.0), ("b", "x", 3, 0.5)}
    assert (written.rows, written.version) == (1, 3)


SEEN = Table("silver", "seen", "one moment", (Column("at", "timestamp", "when"),), ("at",), Write.MERGE)


def test_times_are_stored_as_whole_microseconds_of_utc_and_older_ones_still_read(
    lake: Lake, spark: SparkSession
) -> None:
    lake.ensure([SEEN])
    spark.conf.set("spark.sql.parquet.outputTimestampType", "INT96")
    try:
        lake.merge(spark.sql("SELECT TIMESTAMP '2016-10-01 12:00:00.000001Z' AS at"), SEEN)
    finally:
        spark.conf.set("spark.sql.parquet.outputTimestampType", RESULTS["spark.sql.parquet.outputTimestampType"])
    lake.merge(spark.sql("SELECT TIMESTAMP '2017-10-01 12:00:00.000001Z' AS at"), SEEN)
    files = Path(lake.location(SEEN)).glob("*.parquet")
    assert {pq.ParquetFile(file).schema.column(0).physical_type for file in files} == {"INT96", "INT64"}
    rows, earlier = lake.read(SEEN), F.col("at") < F.expr("TIMESTAMP '2017-01-01 00:00:00Z'")
    for some, micros in ((rows.where(earlier), 1_475_323_200_000_001), (rows.where(~earlier), 1_506_859_200_000_001)):
        assert [row[0] for row in some.select(F.unix_micros("at")).collect()] == [micros]


def test_a_list_of_values_replaces_each_of_them(lake: Lake, spark: SparkSession) -> None:
    lake.ensure([STOCK])
    for shelf in "abc":
        lake.replace(stock(spark, ("old", 1, None)), STOCK, shelf=shelf)
    new = spark.createDataFrame([("a", "new", 2, None)], "shelf string, item string, count int, weight double")
    lake.replace_audited(new, STOCK, shelf=["a", "b"])
    assert content(lake) == {("a", "new", 2, None), ("c", "old", 1, None)}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("x", 101, 1.0)], "count is above 100 in 1 of 1 rows"),
        ([("x", -1, 1.0), ("y", 5, 1.0)], "count is below 0 in 1 of 2 rows"),
        ([("x", None, 1.0)], "count is null in 1 of 1 rows"),
        ([("x", 1, math.nan)], "weight is not finite in 1 of 1 rows"),
        ([("x", 1, -math.inf)], "weight is not finite in 1 of 1 rows"),
        ([("x", 1, 1.0), ("x", 2, 1.0)], "1 surplus rows, for example {'shelf': 'a', 'item': 'x'}"),
        ([], "no rows"),
    ],
)
def test_a_failed_audit_names_rule_and_count_and_leaves_what_readers_see(
    lake: Lake, spark: SparkSession, rows: list[tuple], words: str
) -> None:
    lake.ensure([STOCK])
    lake.replace_audited(stock(spark, ("good", 1, 1.0)), STOCK, shelf="a")
    with pytest.raises(ContractBroken) as refused:
        lake.replace_audited(stock(spark, *rows), STOCK, shelf="a")
    assert words in str(refused.value)
    assert content(lake) == {("a", "good", 1, 1.0)}


def test_the_key_of_many_rows_is_audited_in_more_parts(
    lake: Lake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def counted(hashes: DataFrame, parts: int | None) -> DataFrame:
        told.append(parts)
        return hash_counts(hashes, parts)

    monkeypatch.setattr(audit, "counted", counted)
    lake.ensure([STOCK])
    rows = [(f"i{n}", 1, 1.0) for n in range(49)]
    lake.replace(stock(spark, *rows), STOCK, shelf="a")
    monkeypatch.setattr(audit, "PART_ROWS", 2)
    with pytest.raises(ContractBroken, match="1 surplus rows, for example {'shelf': 'b', 'item': 'i7'}"):
        lake.replace(stock(spark, *rows, ("i7", 2, None)), STOCK, shelf="b")
    assert told == [None, 25]


def test_values_outside_a_closed_set_are_refused(lake: Lake, spark: SparkSession) -> None:
    lake.ensure([STOCK])
    with pytest.raises(ContractBroken, match="shelf is not one of a, b, c in 1 of 1 rows"):
        lake.replace_audited(stock(spark, ("x", 1, 1.0)), STOCK, shelf="d")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("item string, count string, weight double", "count is string, not int"),
        ("item string, weight double", "columns missing ['count']"),
        ("item string, count int, weight double, colour string", "not in the contract ['colour']"),
    ],
)
def test_wrong_columns_are_refused_before_anything_is_written(
    lake: Lake, spark: SparkSession, schema: str, words: str
) -> None:
    lake.ensure([STOCK])
    with pytest.raises(ContractBroken) as refused:
        lake.replace(spark.createDataFrame([], schema), STOCK, shelf="a")
    assert words in str(refused.value)
    assert lake.version(STOCK) == 0


def test_a_job_tells_the_version_that_it_read_and_that_it_wrote(lake: Lake, spark: SparkSession) -> None:
    lake.ensure([LEVELS])
    lake.merge(stock(spark, ("x", 1, 1.0)), LEVELS)
    job = JobContext(Job("count", "count anew", print), SimpleNamespace(), lake, DAY, "run")
    job.read(LEVELS)
    job.write(stock(spark, ("x", 2, 1.0)), LEVELS)
    job.read(LEVELS)
    assert job.versions_read == {"levels": 1}
    assert [(written.table, written.version) for written in job.written] == [("levels", 2)]


def test_a_merge_updates_equal_keys_and_repeats_change_nothing(lake: Lake, spark: SparkSession) -> None:
    lake.ensure([LEVELS])
    lake.merge(stock(spark, ("x", 1, 1.0), ("y", 2, None)), LEVELS)
    lake.merge(stock(spark, ("y", 3, 0.5), ("z", 4, 1.5)), LEVELS)
    expected = {("x", 1, 1.0), ("y", 3, 0.5), ("z", 4, 1.5)}
    assert content(lake, LEVELS) == expected
    lake.merge(stock(spark, ("y", 3, 0.5)), LEVELS)
    assert content(lake, LEVELS) == expected


def test_an_append_happens_once_for_each_transaction(lake: Lake, spark: SparkSession) -> None:
    table = Table("bronze", "raw", "one row", LEVELS.columns, ("item",), Write.APPEND)
    for version, item, wanted in ((1, "x", True), (1, "x", False), (2, "y", True), (1, "z", False)):
        wrote = lake.append(stock(spark, (item, 1, 1.0)), table, app_id="ingest", version=version)
        assert wrote is wanted
    assert sorted(row["item"] for row in lake.read(table).collect()) == ["x", "y"]


def test_two_writers_of_different_slices_never_touch(lake: Lake, spark: SparkSession) -> None:
    lake.ensure([CANDIDATES])
    rows = spark.range(50).selectExpr(
        "'us' AS market", "cast(id AS string) AS user_id", "'i' AS item_id", "0.5D AS score", "1 AS rank"
    )
    sources, together = ["als", "popular", "trending"], Barrier(3)

    def write(source: str) -> None:
        together.wait()
        lake.replace(rows, CANDIDATES, as_of=DAY, run_id="r", source=source)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, sources))
    assert {s: lake.read(CANDIDATES, source=s).count() for s in sources} == dict.fromkeys(sources, 50)


def test_a_lake_in_a_catalog(spark: SparkSession) -> None:
    """The same in tables that are found by name, as on Databricks."""
    spark.sql("CREATE SCHEMA shelves")
    try:
        lake = Lake(spark, "spark_catalog.shelves")
        assert not lake.exists(STOCK)
        lake.ensure([STOCK, LEVELS])
        lake.ensure([STOCK, LEVELS])  # the second time only checks them
        lake.replace(stock(spark, ("x", 1, 1.0)), STOCK, shelf="a")
        lake.replace(stock(spark, ("y", 2, None)), STOCK, shelf="b")
        lake.replace(stock(spark, ("z", 3, 2.0)), STOCK, shelf="a")
        assert content(lake) == {("a", "z", 3, 2.0), ("b", "y", 2, None)}
        assert lake.version(STOCK) == 3
        assert lake.known(STOCK, "rows", lambda: lake.read(STOCK).count()) == 2
        commit_elsewhere(lake._delta(STOCK).detail().first()["location"].removeprefix("file:"))
        assert lake.version(STOCK) == 4
        assert lake.known(STOCK, "rows", lambda: lake.read(STOCK).count()) == 3
        both = spark.createDataFrame([("a", "v", 1, 1.0)], "shelf string, item string, count int, weight double")
        assert lake.replace(both, STOCK, shelf=["a", "b"]).rows == 1
        assert content(lake) == {("a", "v", 1, 1.0), ("c", "w", 1, 1.0)}
        lake.merge(stock(spark, ("x", 1, 1.0)), LEVELS)
        lake.merge(stock(spark, ("x", 2, 1.0)), LEVELS)
        assert content(lake, LEVELS) == {("x", 2, 1.0)}
        raw = Table("bronze", "raw", "one row", LEVELS.columns, ("item",), Write.APPEND)
        lake.ensure([raw])
        assert lake.append(stock(spark, ("x", 1, 1.0)), raw, app_id="ingest", version=1)
        assert not lake.append(stock(spark, ("x", 1, 1.0)), raw, app_id="ingest", version=1)
        lake.claim("shop")
        with pytest.raises(ConfigError, match="is that of the shop shop, not of other"):
            lake.claim("other")
    finally:
        spark.sql("DROP SCHEMA shelves CASCADE")
