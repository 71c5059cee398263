"""What the purchase lines of one user and one item sum up to."""

import math

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.features.declare import feature
from shoprec.features.lines import unit_price

_BOUGHT = (
    "user_id", "item_id", "basket", "event_at", "age_days", "bought", "quantity", "cents", "discount_cents",
    "coupon_cents",
)  # fmt: skip

_SUMS = (
    "lines", "cents", "units", "discount_cents", "coupon_cents", "offers", "offers_known", "coupons", "coupons_known",
)  # fmt: skip

_SEEN = ("displays", "mailers", "shelves")

BASKET_ITEMS = ("user_id", "item_id", "basket", "at", "age_days", *_SUMS)

_PAIRS = ("user_id", "item_id", "baskets", "first_days", "last_days", "price", *_SUMS)

ITEM_PAIRS = (*_PAIRS, "lines_7d", "lines_28d", "lines_91d", "lines_364d")

USER_PAIRS = (*_PAIRS, "weight", *_SEEN, "department", "category", "brand")

WINDOWS = (7, 28, 91, 364)


@feature(needs={"lines": _BOUGHT}, gives=BASKET_ITEMS)
def basket_items(lines: DataFrame) -> DataFrame:
    """One row for each item bought in each basket: lines, money and units of it, lines on offer and with a coupon.

    ``offers_known`` counts the lines of which the discount is known (``coupons_known`` likewise); unknown discounts add
    nothing to the cents. Spread by user and item, as pairs are, so that those need no second shuffle.
    """
    return _basket_items(lines, {})


@feature(needs={"lines": (*_BOUGHT, "on_display", "in_mailer")}, gives=(*BASKET_ITEMS, *_SEEN))
def seen_basket_items(lines: DataFrame) -> DataFrame:
    """``basket_items`` with the lines on display, in the mailer, and those of which this is known (shelves)."""
    seen = {
        "displays": F.count_if("on_display"),
        "mailers": F.count_if("in_mailer"),
        "shelves": F.count("on_display"),
    }
    return _basket_items(lines, seen)


def _basket_items(lines: DataFrame, more: dict[str, Column]) -> DataFrame:
    discount, coupon = F.col("discount_cents"), F.col("coupon_cents")
    sums = {
        "at": F.min("event_at"),
        "age_days": F.max("age_days"),
        "lines": F.count("*"),
        "cents": F.sum("cents"),
        "units": F.sum("quantity"),
        "discount_cents": F.sum(F.coalesce(discount, F.lit(0))),
        "coupon_cents": F.sum(F.coalesce(coupon, F.lit(0))),
        "offers": F.count_if(discount > 0),
        "offers_known": F.count(discount),
        "coupons": F.count_if(coupon > 0),
        "coupons_known": F.count(coupon),
        **more,
    }
    bought = lines.where("bought").repartition("user_id", "item_id")
    return bought.groupBy("user_id", "item_id", "basket").agg(*(value.alias(name) for name, value in sums.items()))


@feature(needs={"bought": BASKET_ITEMS}, gives=ITEM_PAIRS)
def item_pairs(bought: DataFrame) -> DataFrame:
    """One row a user and item, with the lines of the last 7, 28, 91 and 364 days."""
    windows = {
        f"lines_{days}d": F.sum(F.when(F.col("age_days") <= days, F.col("lines")).otherwise(0)) for days in WINDOWS
    }
    return _pairs(bought, windows)


@feature(
    needs={
        "bought": (*BASKET_ITEMS, *_SEEN),
        "items": ("item_id", "department", "category", "brand"),
    },
    gives=USER_PAIRS,
)
def user_pairs(bought: DataFrame, items: DataFrame, half_life_days: float) -> DataFrame:
    """One row a user and item, with the weight of its lines, halved every ``half_life_days``, and the item's names.

    :param items: one row an item; items that it lacks have no names
    """
    decay = F.exp(F.col("age_days") * (-math.log(2) / half_life_days))
    sums = {"weight": F.sum(F.col("lines") * decay), **{name: F.sum(name) for name in _SEEN}}
    return _pairs(bought, sums).join(items, on="item_id", how="left")


def _pairs(bought: DataFrame, more: dict[str, Column]) -> DataFrame:
    sums = {
        "baskets": F.count("*"),
        "first_days": F.max("age_days"),
        "last_days": F.min("age_days"),
        **{name: F.sum(name) for name in _SUMS},
        **more,
    }
    grouped = bought.groupBy("user_id", "item_id").agg(*(value.alias(name) for name, value in sums.items()))
    return grouped.withColumn("price", unit_price(F.col("cents"), F.col("units")))
