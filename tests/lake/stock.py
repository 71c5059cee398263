"""A table for the tests of the lake, and what stands in it."""

from datetime import date

import pyarrow as pa
from deltalake import write_deltalake
from pyspark.sql import DataFrame, SparkSession

from shoprec.contracts import Column, Table, Write
from shoprec.lake import Lake

DAY = date(2017, 10, 1)
STOCK = Table(
    layer="silver",
    name="stock",
    comment="one item on one shelf",
    columns=(
        Column("shelf", "string", "shelf", allowed=("a", "b", "c")),
        Column("item", "string", "item"),
        Column("count", "int", "units, 0 to 100", low=0, high=100),
        Column("weight", "double", "kg", nullable=True),
    ),
    key=("shelf", "item"),
    write=Write.REPLACE,
    partition=("shelf",),
    slice=("shelf",),
)
LEVELS = Table("silver", "levels", "one item", STOCK.columns[1:], ("item",), Write.MERGE)


def stock(spark: SparkSession, *rows: tuple) -> DataFrame:
    return spark.createDataFrame(list(rows), "item string, count int, weight double")


def commit_elsewhere(path: str) -> None:
    """A commit that Spark's own Delta does not see being made."""
    rows = pa.table({"shelf": ["c"], "item": ["w"], "count": pa.array([1], pa.int32()), "weight": [1.0]})
    write_deltalake(path, rows, mode="append")


def content(lake: Lake, table: Table = STOCK) -> set[tuple]:
    return {tuple(row) for row in lake.read(table).collect()}
