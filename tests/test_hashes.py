"""Hashes that repeat, against counts by hand and by NumPy."""

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from shoprec.hashes import _tallied, counted, repeated


def test_hashes_that_repeat_are_found_once_each(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(7,), (7,), (7,), (-(2**63),), (-(2**63),), (1,), (2**63 - 1,)], "h long")
    assert sorted(row["h"] for row in repeated(rows, 3).collect()) == [-(2**63), 7]
    assert repeated(rows.limit(0), 3).collect() == []


def test_counts_are_those_of_all_rows_however_they_are_dealt(spark: SparkSession) -> None:
    values = np.random.default_rng(0).integers(0, 700, 1000)
    rows = spark.createDataFrame([(int(value), bool(value % 7 == 0)) for value in values], "h long, odd boolean")
    sums = [F.sum(name) for name in ("rows", "keys", "marked")]
    for spread in (rows, rows.repartition(5)):
        assert tuple(counted(spread).agg(*sums).first()) == (1000, len(set(values)), int((values % 7 == 0).sum()))
    assert repeated(rows.select("h"), 2).count() == int((np.unique(values, return_counts=True)[1] > 1).sum())


def test_parts_are_as_many_as_told(spark: SparkSession) -> None:
    rows = spark.range(1000).selectExpr("id AS h", "id = 1 AS odd")
    parts = counted(rows, 50).collect()
    assert (len(parts), sum(part["keys"] for part in parts), sum(part["marked"] for part in parts)) == (50, 1000, 1)


def test_a_tally_is_the_same_however_many_rows_are_sorted_at_once() -> None:
    pieces = [np.array(piece, np.int64) for piece in ([3, 1, 3], [], [3, 2], [1], [3])]
    for at_once in (1, 3, 100):
        found, times = _tallied(iter(pieces), at_once)
        assert (found.tolist(), times.tolist()) == ([1, 2, 3], [2, 1, 4])
    assert [len(part) for part in _tallied(iter([]))] == [0, 0]
