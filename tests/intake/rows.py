"""Rows of bronze for tests, with the lineage that ingest gives them."""

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec.intake.lineage import row_hash


def bronze(
    spark: SparkSession, schema: str, rows: Sequence[tuple], file: str = "day-1", ingestion: int = 1
) -> DataFrame:
    """``rows`` as one file of a dataset in bronze; equal rows would both be its first occurrence."""
    made = spark.createDataFrame(rows, schema)
    return made.select(
        "*",
        F.lit(file).alias("_file"),
        F.lit(10).cast("long").alias("_file_bytes"),
        F.lit(ingestion).cast("long").alias("_ingestion_id"),
        row_hash(made.columns).alias("_row"),
        F.lit(1).alias("_occurrence"),
    )
