"""Out-of-fold figures: who scores whom, the bins, and NDCG by an independent implementation."""

import math

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from shoprec.packed import matrix_in, pack
from shoprec.ranking.config import FEATURES
from shoprec.ranking.crossfit import cross_fitted, ndcg, out_of_fold


class Stub:
    """A ranker whose margin is its own number plus the row's rank by als."""

    def __init__(self, number: float) -> None:
        self.number = number

    def matrix(self, rows: pa.RecordBatch) -> np.ndarray:
        return matrix_in(rows, FEATURES, 1)

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        return matrix[:, 0] + self.number


def test_each_row_is_scored_by_the_ranker_of_its_number(spark: SparkSession) -> None:
    rows = [(f"u{i}", "a", i % 2, float(i)) for i in range(20)]
    frame = spark.createDataFrame(rows, "user_id string, item_id string, label int, rank_als float")
    frame = pack(frame.withColumn("one", F.col("rank_als")), {FEATURES: ("one",)})
    by_fold = F.substring("user_id", 2, 5).cast("int") % 2
    made = out_of_fold(frame, [Stub(100.0), Stub(200.0)], by_fold, ("rank_als",)).collect()
    expected = {f"u{i}": (100.0 if i % 2 == 0 else 200.0) + i for i in range(20)}
    assert {row["user_id"]: row["margin"] for row in made} == expected
    assert {row["user_id"]: row["label"] for row in made} == {f"u{i}": i % 2 for i in range(20)}


def test_each_cell_has_the_ranker_that_saw_neither_its_users_nor_its_items(spark: SparkSession) -> None:
    cells = [(user, item) for user in range(2) for item in range(2)]
    sample = spark.createDataFrame(cells, "user_fold int, item_fold int")
    made = cross_fitted(sample, lambda some: sorted(map(tuple, some.collect())), 2)
    assert made == [[(1, 1)], [(1, 0)], [(0, 1)], [(0, 0)], cells]


def test_ndcg_against_a_plain_loop(spark: SparkSession) -> None:
    """Users with hits beyond the depth, with purchases that nobody proposed, and without any candidate."""
    rng = np.random.default_rng(3)
    scored, bought = [], set()
    for user in range(12):
        items = rng.permutation(30)
        bought |= {(f"u{user}", f"i{i}") for i in items[: user % 5]} | {(f"u{user}", "never proposed")}
        ranks = rng.permutation(20) + 1
        for item, rank in zip(range(20), ranks, strict=True):
            label = int((f"u{user}", f"i{item}") in bought)
            scored.append((f"u{user}", f"i{item}", label, int(rank) if rank <= 15 else None, float(rng.normal())))
    bought.add(("silent", "i1"))
    frame = spark.createDataFrame(scored, "user_id string, item_id string, label int, rank_als int, margin double")
    made = ndcg(frame, spark.createDataFrame(sorted(bought), "user_id string, item_id string"), ("als",), 5).first()

    def expected(order: dict[str, list[str]]) -> float:
        values = []
        for user in {user for user, _ in bought}:
            relevant = {item for u, item in bought if u == user}
            gain = sum(
                1 / math.log2(place + 2) for place, item in enumerate(order.get(user, [])[:5]) if item in relevant
            )
            values.append(gain / sum(1 / math.log2(place + 2) for place in range(min(5, len(relevant)))))
        return float(np.mean(values))

    fused, als = {}, {}
    for user, item, _, rank, margin in scored:
        fused.setdefault(user, []).append((-margin, item))
        als.setdefault(user, []).extend([(rank, item)] if rank else [])
    ordered = [{user: [item for _, item in sorted(rows)] for user, rows in lists.items()} for lists in (fused, als)]
    assert made["fused"] == pytest.approx(expected(ordered[0]))
    assert made["als"] == pytest.approx(expected(ordered[1]))
    assert made["users"] == 13
