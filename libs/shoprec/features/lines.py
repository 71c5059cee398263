"""Interactions as lines of baskets, and the (user, item) pairs that they sum up to."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.moments import days_between, midnight

#: Columns of interactions that lines are made of.
NEEDS = (
    "event_at", "type", "market", "user_id", "item_id", "basket_id", "store_id",
    "quantity", "amount", "discount", "coupon_discount",
)  # fmt: skip


def cents(money: Column) -> Column:
    """Hundredths of the currency, as a whole number: sums of it are exact and quick. Null stays null."""
    return F.round(money.cast("double") * 100).cast("long")


def known_lines(interactions: DataFrame, as_of: date) -> DataFrame:
    """Purchases and returns that happened before ``as_of``.

    Needs ``NEEDS``. Gives one row a line: user_id, item_id, market, store_id (null: unknown), basket (the source's, or
    the day's purchases in a market), event_at, age_days, bought (false: returned), quantity, cents (0: unknown),
    discount_cents and coupon_cents (null: unknown).
    """
    day = F.date_format("event_at", "yyyy-MM-dd")
    return interactions.where(F.col("type").isin("purchase", "return") & (F.col("event_at") < midnight(as_of))).select(
        "user_id",
        "item_id",
        "market",
        "store_id",
        F.coalesce("basket_id", F.concat_ws(":", F.lit("day"), "market", day)).alias("basket"),
        "event_at",
        days_between("event_at", midnight(as_of)).alias("age_days"),
        (F.col("type") == "purchase").alias("bought"),
        F.col("quantity").cast("double").alias("quantity"),
        F.coalesce(cents(F.col("amount")), F.lit(0)).alias("cents"),
        cents(F.col("discount")).alias("discount_cents"),
        cents(F.col("coupon_discount")).alias("coupon_cents"),
    )


def known_purchases(interactions: DataFrame, as_of: date) -> DataFrame:
    """The purchases among ``known_lines``: user_id, item_id, market."""
    known = (F.col("type") == "purchase") & (F.col("event_at") < midnight(as_of))
    return interactions.where(known).select("user_id", "item_id", "market")


def unit_price(cents_paid: Column, units: Column) -> Column:
    """Currency a unit, to the cent; null where nothing was paid or no unit is counted."""
    price = F.round(cents_paid / F.nullif(units, F.lit(0.0)) / 100, 2)
    return F.when((units > 0) & (price > 0), price)


def log_ratio(above: Column, below: Column) -> Column:
    """Natural log of a ratio of two positive numbers, held in [-20, 20]; 0 where either is missing or not positive."""
    ratio = F.log(F.when((above > 0) & (below > 0), above / below))
    return F.greatest(F.lit(-20.0), F.least(F.lit(20.0), F.coalesce(ratio, F.lit(0.0))))
