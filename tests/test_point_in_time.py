"""No job sees what was not known before its as-of date, and the same run twice gives the same tables.

One more run is made on a copy of the small run's silver tables into which the four kinds of rows were put that nobody
knew in time. Its gold tables must be those of the run without them: that shows both.
"""

import shutil
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec.contracts import TABLES
from shoprec.contracts.gold_runs import JOB_RUNS
from shoprec.contracts.silver import INTERACTIONS, ITEMS, PRICES, PROMOTIONS, USERS
from shoprec.graph import nodes
from shoprec.job import load_config, load_job
from shoprec.lake import Lake
from shoprec.records import perform
from tests.same import assert_same_gold
from tests.small_run import QUICK, SHOP, SMALL, SmallRun


def poisoned(spark: SparkSession, run: SmallRun, lake: Lake) -> None:
    """Put the four kinds of rows into the silver tables of ``lake``."""
    as_of = datetime.combine(run.as_of, time())
    later = F.lit(as_of + timedelta(hours=1))
    events = lake.read(INTERACTIONS).where((F.col("known_at") < as_of) & F.col("superseded_at").isNull())
    some = events.where(F.pmod(F.xxhash64("event_id"), F.lit(10)) == 0).cache()
    fresh = some.withColumn("event_id", F.concat("event_id", F.lit("-x"))).withColumn("known_at", later)
    future = fresh.withColumn("event_at", later).withColumn("event_key", F.concat("event_key", F.lit("-future")))
    late = fresh.withColumn("event_key", F.concat("event_key", F.lit("-late"))).withColumn(
        "event_id", F.concat("event_id", F.lit("-late"))
    )
    corrected = fresh.withColumn("quantity", (F.col("quantity") * 7).cast("decimal(18,3)")).withColumn(
        "event_id", F.concat("event_id", F.lit("-corrected"))
    )
    superseded = events.join(some.select("event_id"), "event_id", "left_semi").withColumn("superseded_at", later)
    untouched = lake.read(INTERACTIONS).join(some.select("event_id"), "event_id", "left_anti")
    everything = untouched.unionByName(superseded).unionByName(corrected).unionByName(late).unionByName(future)
    overwrite(everything.localCheckpoint(), lake, INTERACTIONS.name)
    for table, wrong in ((ITEMS, "department"), (USERS, "age_band"), (PRICES, "price"), (PROMOTIONS, "display")):
        rows = lake.read(table)
        moved = rows.withColumn("valid_from", F.col("valid_from") + F.expr("interval 1 second")).withColumn(
            "known_at", later
        )
        value = F.lit(999) if wrong == "price" else F.lit("poison")
        moved = moved.withColumn(wrong, value.cast(dict(rows.dtypes)[wrong]))
        if "timeless" in rows.columns:
            moved = moved.withColumn("timeless", F.lit(False)).withColumn(
                "valid_from", F.lit(as_of - timedelta(days=30))
            )
        overwrite(rows.unionByName(moved).localCheckpoint(), lake, table.name)


def overwrite(rows: DataFrame, lake: Lake, name: str) -> None:
    rows.write.format("delta").mode("overwrite").save(lake.location(TABLES[name]))


@pytest.fixture(scope="module")
def later_lake(spark: SparkSession, small_run: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of the run on poisoned tables."""
    place = tmp_path_factory.mktemp("poisoned")
    for layer in ("bronze", "silver"):
        shutil.copytree(small_run.tables / layer, place / "lake" / layer)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SHOP.items():
            patch.setenv(name, value)
        told = load_config("local", "simulated", [*SMALL, *QUICK, f"tables={place}/lake", f"files={place}/files"])
    lake = Lake(spark, f"{place}/lake")
    lake.ensure(TABLES.values())
    poisoned(spark, small_run, lake)
    assert lake.read(INTERACTIONS).count() > 1.2 * Lake(spark, str(small_run.tables)).read(INTERACTIONS).count()
    made = [node for node in nodes(told.graph.jobs) if load_job(node.job).makes_gold]
    # What made the tables that were copied has ended, for this run too.
    records = Lake(spark, str(small_run.tables)).read(JOB_RUNS, run_id=small_run.run_id)
    earlier = records.where(~F.col("job").isin([node.job for node in made]))
    earlier.write.format("delta").mode("append").save(lake.location(JOB_RUNS))
    for node in made:
        perform(load_job(node.job), told, lake, small_run.as_of, small_run.run_id, node.at)
    return place / "lake"


def test_what_was_not_known_in_time_changes_nothing(small_run: SmallRun, later_lake: Path) -> None:
    assert_same_gold(small_run.tables, later_lake, small_run.run_id)


def test_the_poison_is_there(spark: SparkSession, small_run: SmallRun, later_lake: Path) -> None:
    """The check above could not fail if the poisoned rows had not reached the tables that the jobs read."""
    lake = Lake(spark, str(later_lake))
    as_of = datetime.combine(small_run.as_of, time())
    events = lake.read(INTERACTIONS).where(F.col("known_at") >= as_of)
    assert events.where(F.col("event_at") >= as_of).count() > 100, "future events"
    assert events.where(F.col("event_at") < as_of).count() > 100, "late arrivals and corrections"
    assert lake.read(INTERACTIONS).where(F.col("superseded_at") >= as_of).count() > 100, "corrected later"
    assert lake.read(ITEMS).where("department = 'poison'").count() > 100, "later attributes"
