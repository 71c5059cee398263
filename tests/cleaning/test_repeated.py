"""Rows whose key stands once, apart from the rest."""

from pyspark.sql import SparkSession

from shoprec.cleaning.repeated import split


def test_every_row_is_in_one_part_and_keys_that_repeat_in_the_second(spark: SparkSession) -> None:
    rows = [("a", 1), ("b", 1), ("b", 2), ("c", 1), ("c", 1), (None, 1), (None, 2), ("d", None)]
    frame = spark.createDataFrame(rows, "k string, v int")
    with split(frame, "k") as (single, repeated):
        assert sorted(map(tuple, single.collect()), key=str) == [("a", 1), ("d", None)]
        assert sorted(map(tuple, repeated.collect()), key=str) == [
            ("b", 1),
            ("b", 2),
            ("c", 1),
            ("c", 1),
            (None, 1),
            (None, 2),
        ]
    with split(frame, "k", "v") as (single, repeated):
        assert repeated.collect() == [("c", 1), ("c", 1)]
        assert single.columns == ["k", "v"]
