"""Figures of a public split, worked out by hand."""

import math

import pytest

from shoprec.errors import ConfigError
from shoprec.public_splits.results import checked, figures


def test_means_are_over_all_users_with_test_items(spark):
    train = spark.createDataFrame([("u", "a"), ("v", "a"), ("w", "b")], "user_id string, item_id string")
    # v's test item is in the train part; x is unknown; w is not judged.
    test = spark.createDataFrame([("u", "c"), ("u", "d"), ("v", "a"), ("x", "a")], "user_id string, item_id string")
    fused = [("all", "u", "a", 1), ("all", "u", "c", 2), ("all", "v", "a", 1), ("all", "w", "a", 1)]
    fused += [("discovery", "u", "c", 1), ("discovery", "v", "b", 1), ("discovery", "w", "a", 1)]
    recommendations = spark.createDataFrame(fused, "list string, user_id string, item_id string, rank int")
    candidates = spark.createDataFrame(
        [("als", "u", "a", 1), ("als", "u", "b", 2), ("als", "u", "d", 3)],
        "source string, user_id string, item_id string, rank int",
    )
    known = spark.createDataFrame([("u", 1), ("v", 1), ("w", 1)], "user_id string, interactions int")
    told = candidates, recommendations, train, test, known, ["recall@2", "hit_rate@2", "ndcg@2"]
    best_of_two = 1 + 1 / math.log2(3)

    kept = figures(*told, seen_left_out=False)
    assert kept["fused"] == pytest.approx({
        "recall@2": (0.5 + 1) / 3, "hit_rate@2": 2 / 3, "ndcg@2": (1 / math.log2(3) / best_of_two + 1) / 3
    })  # fmt: skip
    assert kept["als"] == {"recall@2": 0, "hit_rate@2": 0, "ndcg@2": 0}

    left_out = figures(*told, seen_left_out=True)
    assert left_out["fused"] == pytest.approx({
        "recall@2": 0.5 / 3, "hit_rate@2": 1 / 3, "ndcg@2": 1 / best_of_two / 3
    })  # fmt: skip
    assert left_out["als"] == pytest.approx({
        "recall@2": 0.5 / 3, "hit_rate@2": 1 / 3, "ndcg@2": 1 / math.log2(3) / best_of_two / 3
    })  # fmt: skip


def pairs(spark, *rows):
    return spark.createDataFrame(rows, "user_id string, item_id string")


def test_what_the_train_part_lacks_is_told(spark):
    train = pairs(spark, ("u", "a"), ("v", "b"), ("v", "b"))
    test = pairs(spark, ("u", "a"), ("u", "c"), ("v", "a"), ("x", "b"), ("x", "b"))
    assert checked("ratio", train, test) == {
        "test_users": 3, "test_pairs": 4, "unknown_users": 1, "pairs_of_unknown_items": 1, "pairs_in_train": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    ("protocol", "test", "message"),
    [
        ("leave_last_out", [("u", "a"), ("u", "b"), ("v", "a")], "1 of 2 users have more than one test item"),
        ("ratio", [("7.0", "a")], "knows no user of the test part"),
        ("ratio", [("u", "7.0")], "knows no item of the test part"),
    ],
)
def test_parts_that_do_not_fit_are_refused(spark, protocol, test, message):
    with pytest.raises(ConfigError, match=message):
        checked(protocol, pairs(spark, ("u", "a"), ("v", "b")), pairs(spark, *test))
