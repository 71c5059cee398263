"""Scores from neighbours against a dense product."""

import numpy as np
import pytest
from pyspark.errors import PySparkException

from shoprec.retrieval.neighbour_scores import neighbour_scores
from shoprec.retrieval.ties import id_hash, tie_hashes


def tables(spark, seen, weights, near):
    users = spark.createDataFrame([(f"u{u}", s) for u, s in seen.items()], "user_id string, seen array<int>")
    weighted = spark.createDataFrame(
        [(f"u{u}", int(i), float(weights[u, i])) for u, i in zip(*np.nonzero(weights), strict=True)],
        "user_id string, item_idx int, weight double",
    )
    pairs = spark.createDataFrame(
        [(int(i), int(j), f"i{j}", float(near[i, j])) for i, j in zip(*np.nonzero(near), strict=True)],
        "item_idx int, neighbour_idx int, neighbour_id string, similarity double",
    )
    return users, weighted, pairs.withColumn("neighbour_hash", id_hash("neighbour_id")).drop("neighbour_id")


def hashes(spark, prefix, count):
    ids = spark.createDataFrame([(f"{prefix}{n}", n) for n in range(count)], "id string, n int").orderBy("n")
    return np.array([row[0] for row in ids.select(id_hash("id")).collect()], dtype=np.int64)


def test_equal_to_the_dense_product_with_ties(spark):
    draw = np.random.default_rng(3)
    users, items = 30, 40
    # Whole numbers: sums are exact in any order, and ties frequent.
    weights = draw.integers(1, 3, (users, items)) * (draw.random((users, items)) < 0.2)
    near = draw.integers(1, 3, (items, items)) * (draw.random((items, items)) < 0.15)
    weights[4] = 0
    seen = {u: sorted(np.flatnonzero(weights[u]).tolist()) or None for u in range(users)}
    result = {}
    for row in neighbour_scores(*tables(spark, seen, weights, near), 5, 3).collect():
        result.setdefault(row["user_id"], set()).add((row["item_idx"], row["score"]))
    user_hashes, item_hashes = hashes(spark, "u", users), hashes(spark, "i", items)
    scores = weights @ near
    for user in range(users):
        ties = tie_hashes(np.full(items, user_hashes[user]), item_hashes)
        order = sorted(np.flatnonzero(scores[user]), key=lambda item: (-scores[user, item], ties[item]))
        known = set(seen[user] or [])
        chosen = [i for i in order if i not in known][:5] + [i for i in order if i in known][:3]
        assert result.get(f"u{user}", set()) == {(int(i), float(scores[user, i])) for i in chosen}
    assert "u4" not in result


def test_users_may_span_batches(spark):
    users, weighted, near = tables(spark, {0: [0], 1: [2]}, np.ones((2, 4)), np.ones((4, 4)) - np.eye(4))
    whole = neighbour_scores(users, weighted, near, 4, 4).collect()
    expected = {(row["user_id"], row["item_idx"], row["score"]) for row in whole}
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 2)
    try:
        split = neighbour_scores(users, weighted, near, 4, 4).collect()
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    assert {(row["user_id"], row["item_idx"], row["score"]) for row in split} == expected
    assert len(split) == len(expected) == 8


def test_a_weight_that_is_not_finite_is_refused(spark):
    weights = np.ones((1, 2))
    weights[0, 1] = np.nan
    with pytest.raises(PySparkException, match="weights or similarities are not finite"):
        neighbour_scores(*tables(spark, {0: None}, weights, np.ones((2, 2))), 2).collect()
