"""Pairs of a shop with one buyer who takes nearly all of it."""

import pytest
from pyspark.sql import functions as F

from shoprec.features.pairs import basket_items, item_pairs

MANY = 5000


def test_a_buyer_of_nearly_everything(spark):
    """One user and item with 5,000 lines in 2,500 baskets beside one with a single line: sums stay exact."""
    one = F.col("id") == MANY
    lines = spark.range(MANY + 1).select(
        F.when(one, "small").otherwise("big").alias("user_id"),
        F.lit("A").alias("item_id"),
        F.floor(F.col("id") / 2).cast("string").alias("basket"),
        F.lit("2024-01-01").cast("timestamp").alias("event_at"),
        (F.col("id") % 100).cast("double").alias("age_days"),
        F.lit(True).alias("bought"),
        F.lit(2.0).alias("quantity"),
        F.lit(50).cast("long").alias("cents"),
        F.when(F.col("id") % 2 == 0, F.lit(10)).cast("long").alias("discount_cents"),
        F.lit(None).cast("long").alias("coupon_cents"),
    )
    rows = {r["user_id"]: r for r in item_pairs(basket_items(lines)).collect()}
    big, small = rows["big"], rows["small"]
    assert (big["lines"], big["baskets"], big["cents"], big["units"]) == (MANY, MANY // 2, 50 * MANY, 2.0 * MANY)
    assert (big["discount_cents"], big["offers"], big["offers_known"]) == (10 * MANY // 2, MANY // 2, MANY // 2)
    assert (big["coupons"], big["coupons_known"], big["coupon_cents"]) == (0, 0, 0)
    assert (big["first_days"], big["last_days"]) == (99.0, 1.0)
    assert big["price"] == pytest.approx(0.25)
    assert (small["lines"], small["baskets"], small["lines_7d"]) == (1, 1, 1)
