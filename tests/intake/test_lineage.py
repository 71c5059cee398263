"""Where each row of bronze came from."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from shoprec.intake.lineage import row_hash, with_lineage


def test_the_hash_tells_where_nulls_stand(spark: SparkSession) -> None:
    rows = [(None, "x"), ("x", None), (None, None), ("x", "x"), ("", "x")]
    frame = spark.createDataFrame(rows, "a string, b string")
    assert frame.select(row_hash(["a", "b"])).distinct().count() == 5


def test_more_columns_than_bits(spark: SparkSession) -> None:
    names = [f"c{i}" for i in range(70)]
    rows = [tuple("x" if i == at else None for i in range(70)) for at in (0, 62, 69)]
    frame = spark.createDataFrame(rows, ", ".join(f"{name} string" for name in names))
    assert frame.select(row_hash(names)).distinct().count() == 3


def test_rows_that_know_their_place_keep_it(spark: SparkSession) -> None:
    rows = [("a", "f", 1, 0), ("a", "f", 1, 5)]
    with with_lineage(spark.createDataFrame(rows, "v string, _file string, _file_bytes long, _row long"), 2) as made:
        assert sorted((r["_row"], r["_occurrence"], r["_ingestion_id"]) for r in made.collect()) == [
            (0, 1, 2),
            (5, 1, 2),
        ]


def test_equal_rows_of_a_file_are_counted_through(spark: SparkSession) -> None:
    rows = [("a", "f1"), ("b", "f1"), ("a", "f1"), ("a", "f1"), ("a", "f2"), ("c", "f2")]
    frame = spark.createDataFrame(rows, "v string, _file string").withColumn("_file_bytes", F.lit(1).cast("long"))
    with with_lineage(frame, 7) as made:
        got = sorted((r["_file"], r["v"], r["_occurrence"], r["_ingestion_id"]) for r in made.collect())
    assert got == [
        ("f1", "a", 1, 7),
        ("f1", "a", 2, 7),
        ("f1", "a", 3, 7),
        ("f1", "b", 1, 7),
        ("f2", "a", 1, 7),
        ("f2", "c", 1, 7),
    ]
