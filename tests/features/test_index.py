"""Dense numbers: complete, in order, the same however the rows lie; with the counts worked out by hand."""

import random
from math import log

import pytest

from shoprec.features.config import IndexSettings, ItemIndexSettings
from shoprec.features.index import item_counts, item_index, numbered, user_counts, user_index
from shoprec.features.lines import known_purchases
from tests.features import shop


def numbers(spark, ids, ranges, partitions=2):
    rows = spark.createDataFrame([(i,) for i in ids], "id string").repartition(partitions)
    return {r["id"]: r["number"] for r in numbered(rows, "id", "number", ranges).collect()}


@pytest.mark.parametrize(
    "ids",
    [
        pytest.param([f"user-{i}" for i in range(700)], id="common prefix"),
        pytest.param(["only"], id="one"),
        pytest.param(["", "a", "ä", "z", "Z", "10", "9", "日本"], id="fewer than ranges, bytes decide"),
    ],
)
def test_dense_and_in_order_of_bytes(spark, ids):
    shuffled = random.Random(7).sample(ids, len(ids))
    expected = {name: n for n, name in enumerate(sorted(ids, key=str.encode))}
    assert numbers(spark, shuffled, ranges=16) == expected


def test_the_number_does_not_depend_on_ranges_or_partitions(spark):
    ids = [f"{i * 7919 % 10007}" for i in range(300)]
    assert numbers(spark, ids, 1) == numbers(spark, ids[::-1], 5, partitions=3)


def test_no_ids(spark):
    assert numbers(spark, [], 4) == {}


def test_users_have_their_home_market_and_lines_known_before(spark):
    users = user_counts(known_purchases(shop.events(spark), shop.AS_OF))
    rows = user_index(users, IndexSettings(ranges=4)).orderBy("user_idx").collect()
    # u3 only looked, u5 bought after the as-of date; u4's two markets tie.
    assert [tuple(r) for r in rows] == [("u1", 0, "us", 5), ("u2", 1, "us", 3), ("u4", 2, "de", 2)]


def test_items_have_the_log_of_their_share_of_powered_lines(spark):
    items = item_counts(known_purchases(shop.events(spark), shop.AS_OF))
    rows = item_index(items, ItemIndexSettings(ranges=4, negative_power=0.5)).orderBy("item_idx").collect()
    assert [(r["item_id"], r["item_idx"], r["interactions"]) for r in rows] == [
        ("A", 0, 5), ("B", 1, 2), ("C", 2, 1), ("D", 3, 1), ("E", 4, 1),
    ]  # fmt: skip
    total = 5**0.5 + 2**0.5 + 3
    assert [r["log_q"] for r in rows] == pytest.approx([log(r["interactions"] ** 0.5 / total) for r in rows], rel=1e-6)


def test_the_only_item_is_drawn_for_certain(spark):
    items = spark.createDataFrame([("A", 3)], "item_id string, interactions long")
    assert item_index(items, ItemIndexSettings(ranges=4)).first()["log_q"] == 0
