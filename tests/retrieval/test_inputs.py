"""What sources start from, by hand."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from pyspark.sql import functions as F

from shoprec.retrieval.inputs import days_of, decay, exact_sum, purchases_of, sent_back_of, users_with_seen

AS_OF = date(2020, 3, 1)


def interactions(spark, *rows):
    columns = "user_id string, item_id string, market string, basket_id string, event_at timestamp, type string"
    return spark.createDataFrame(list(rows), columns)


def test_only_purchases_of_indexed_items_before_the_day_count(spark):
    when = datetime(2020, 2, 28, 23, 30)
    rows = interactions(
        spark,
        ("u", "x", "a", "b1", when, "purchase"),
        ("u", "x", "a", "b1", when, "view"),
        ("u", "x", "a", "b1", when, "return"),
        ("u", "unknown", "a", "b1", when, "purchase"),
        ("u", "x", "a", "b2", datetime(2020, 3, 1), "purchase"),
        ("u", "y", "a", None, datetime(2020, 2, 29, 23, 59, 59), "purchase"),
    )
    items = spark.createDataFrame([("x", 7), ("y", 8)], "item_id string, item_idx int")
    found = {tuple(row) for row in purchases_of(rows, items, AS_OF).collect()}
    assert found == {
        ("u", 7, "a", "b1", date(2020, 2, 28), 1_582_932_600_000_000),
        ("u", 8, "a", "day/u/2020-02-29", date(2020, 2, 29), 1_583_020_799_000_000),
    }


def test_what_was_returned_in_full_was_sent_back(spark):
    columns = "user_id string, item_id string, event_at timestamp, type string, quantity decimal(18,3)"
    days = [datetime(2020, 2, day) for day in (1, 8, 20)]
    lines = [
        ("u", "whole", 0, "purchase", 1), ("u", "whole", 2, "return", -1),
        ("u", "part", 0, "purchase", 2), ("u", "part", 1, "return", -1),
        ("u", "again", 0, "purchase", 1), ("u", "again", 1, "return", -1), ("u", "again", 2, "purchase", 1),
        ("u", "kept", 0, "purchase", 1),
        ("v", "whole", 0, "purchase", 1), ("v", "whole", 1, "view", 0),
        ("v", "before our time", 1, "return", -1),
        ("v", "unknown", 0, "purchase", 1), ("v", "unknown", 1, "return", -1),
    ]  # fmt: skip
    rows = [(user, item, days[day], kind, Decimal(units)) for user, item, day, kind, units in lines]
    rows += [("v", "kept", days[0], "purchase", Decimal(1)), ("v", "kept", datetime(2020, 3, 1), "return", Decimal(-1))]
    named = ("whole", "part", "again", "kept", "before our time")
    items = spark.createDataFrame(list(zip(named, range(5), strict=True)), "item_id string, item_idx int")
    found = sent_back_of(spark.createDataFrame(rows, columns), items, AS_OF).collect()
    assert sorted((row["user_id"], named[row["item_idx"]]) for row in found) == [
        ("u", "whole"),
        ("v", "before our time"),
    ]


def test_days_stand_once_and_users_in_one_part(spark):
    lines = [("u", 3, date(2020, 5, 1))] * 3 + [("u", 3, date(2020, 5, 2)), ("v", 3, date(2020, 5, 1))]
    days = days_of(spark.createDataFrame(lines, "user_id string, item_idx int, day date").repartition(4))
    assert sorted(map(tuple, days.collect())) == sorted(set(lines))
    part = days.withColumn("part", F.spark_partition_id()).groupBy("user_id").agg(F.count_distinct("part").alias("n"))
    assert {row["n"] for row in part.collect()} == {1}


def test_seen_items_are_distinct_and_every_user_of_the_index_is_there(spark):
    purchases = spark.createDataFrame([("u", 3), ("u", 1), ("u", 3), ("gone", 1)], "user_id string, item_idx int")
    index = spark.createDataFrame([("u", 0, "a"), ("v", 1, "b")], "user_id string, user_idx int, market string")
    rows = {(r["user_id"], r["market"], tuple(r["seen"] or ())) for r in users_with_seen(index, purchases).collect()}
    assert rows == {("u", "a", (1, 3)), ("v", "b", ())}


def test_exact_sums_do_not_depend_on_order(spark):
    rows = spark.range(20_000).withColumn("value", F.exp(-F.col("id") / 3000))
    sums = {rows.repartition(parts, "id").agg(exact_sum(F.col("value"))).first()[0] for parts in (1, 3, 8)}
    assert len(sums) == 1
    # A geometric series: (1 - q^n) / (1 - q), rounded in each term by at most 2^-31.
    q = 2.718281828459045 ** (-1 / 3000)
    assert sums.pop() == pytest.approx((1 - q**20_000) / (1 - q), abs=20_000 * 2**-31)


def test_a_weight_halves_with_each_half_life(spark):
    weights = spark.createDataFrame([(0,), (10,), (30,)], "age int").select(decay(F.col("age"), 10.0))
    assert [row[0] for row in weights.collect()] == pytest.approx([1, 0.5, 0.125])
