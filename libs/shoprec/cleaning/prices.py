"""Prices out of purchases, for shops without a price list: the weekly median, one row for each change."""

from datetime import timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def prices_from_purchases(interactions: DataFrame, time_zone: str, known_after: timedelta) -> DataFrame:
    """The price of each item in each market, by weeks (from Monday, 00:00 in ``time_zone``) in which it was bought.

    A week's price is the median over its lines of what was paid for a unit before coupons, its list price the same
    before the shop's discount too. It is known ``known_after`` after its week's end, and made of the lines that were
    known and stood by then: what comes later changes nothing. A row begins where either price changes and ends where
    the next begins.

    :param interactions: silver.interactions, all types
    :returns: item_id, market, valid_from, valid_to, known_at, price, list_price
    """
    week = F.date_trunc("week", F.from_utc_timestamp("event_at", time_zone))
    week_end = F.to_utc_timestamp(week + F.make_dt_interval(days=F.lit(7)), time_zone)
    lines = (
        interactions.where("type = 'purchase' AND amount IS NOT NULL AND quantity > 0")
        .withColumn("valid_from", F.to_utc_timestamp(week, time_zone))
        .withColumn("known_week_at", week_end + F.make_dt_interval(secs=F.lit(known_after.total_seconds())))
        .where("known_at <= known_week_at AND (superseded_at IS NULL OR superseded_at > known_week_at)")
    )
    before_coupons = F.col("amount") + F.coalesce("coupon_discount", F.lit(0))
    before_all = before_coupons + F.coalesce("discount", F.lit(0))
    weeks = lines.groupBy("item_id", "market", "valid_from", F.col("known_week_at").alias("known_at")).agg(
        _median(before_coupons / F.col("quantity")).alias("price"),
        _median(before_all / F.col("quantity")).alias("list_price"),
    )
    return _changes(weeks)


def _median(unit_price: Column) -> Column:
    return F.round(F.median(unit_price.cast("double")), 2).cast("decimal(18,2)")


def _changes(weeks: DataFrame) -> DataFrame:
    by_week = Window.partitionBy("item_id", "market").orderBy("valid_from")
    both = F.struct("price", "list_price")
    changed = weeks.withColumn("_same", F.lag(both).over(by_week).eqNullSafe(both)).where("NOT _same")
    return changed.drop("_same").withColumn("valid_to", F.lead("valid_from").over(by_week))
