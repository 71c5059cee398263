"""The kernels' order of ties is Spark's."""

import numpy as np
from pyspark.sql import functions as F

from shoprec.retrieval.ties import id_hash, number_hashes, tie_hashes, tie_order


def test_the_hash_of_the_kernels_is_the_hash_of_spark(spark):
    pairs = [(f"u{n}", "" if n == 3 else f"item-{n * 7919}-ü{'x' * n}") for n in range(60)]
    rows = spark.createDataFrame(pairs, "user_id string, item_id string").select(
        id_hash("user_id").alias("left"),
        id_hash("item_id").alias("right"),
        tie_order("user_id", "item_id").alias("order"),
    )
    left, right, order = (np.array(column, dtype=np.int64) for column in zip(*rows.collect(), strict=True))
    assert tie_hashes(left, right).tolist() == order.tolist()
    assert len(set(order.tolist())) == len(pairs)


def test_the_hash_of_numbers_is_sparks_hash_of_longs(spark):
    numbers = np.array([0, 1, -1, 2**40, np.iinfo(np.int64).min, np.iinfo(np.int64).max])
    rows = spark.createDataFrame([(int(n),) for n in numbers], "n long").select(F.xxhash64("n").alias("hash"))
    assert number_hashes(numbers).tolist() == [row["hash"] for row in rows.collect()]
