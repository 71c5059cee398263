"""What every test shares: one Spark session, small and quiet."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from shoprec.lake import Lake
from shoprec.session import RESULTS, keep_classes
from tests.light_spark import LONG_JVM, ONE_TASK, PLAIN
from tests.small_run import small_run

__all__ = ["small_run"]

os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable


#: Folders of the longest files: two workers end together when what is short comes last.
LONGEST = ("jobs", "models", "training", "ranking", "contracts")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a whole run, which gets the time that one takes; put the longest files first."""
    for item in items:
        if "small_run" in getattr(item, "fixturenames", ()):
            item.add_marker("whole")
            item.add_marker(pytest.mark.timeout(1800))
    folders = (item.nodeid.split("/")[1:2] for item in items)
    places = [LONGEST.index(folder[0]) if folder and folder[0] in LONGEST else len(LONGEST) for folder in folders]
    items[:] = [item for _, item in sorted(zip(places, items, strict=True), key=lambda pair: pair[0])]


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One local session with Delta for the whole suite."""
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "1500m")
        .config("spark.driver.extraJavaOptions", LONG_JVM)
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.default.parallelism", "2")
        .config("spark.sql.sources.parallelPartitionDiscovery.parallelism", "2")
        .config("spark.databricks.delta.snapshotPartitions", "1")
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .config("spark.python.daemon.module", "shoprec.workers")
        .config("spark.python.unix.domain.socket.enabled", "true")
        .config(map=RESULTS | PLAIN | ONE_TASK)
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    keep_classes(session)
    yield session
    session.stop()


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    """An empty lake of the test's own; tables are made by ``lake.ensure``."""
    return Lake(spark, str(tmp_path / "lake"))
