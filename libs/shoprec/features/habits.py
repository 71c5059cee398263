"""When and where a user buys."""

import math
from collections.abc import Iterable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.features.declare import feature


@feature(
    needs={"baskets_": ("user_id", "at", "lines")},
    gives=("user_id", "hour_shares", "weekday_shares", "weekend_share", "usual_hour", "hour_focus"),
)
def times(baskets_: DataFrame, time_zone: str) -> DataFrame:
    """Hours and weekdays of a user's baskets by the clock of ``time_zone``, the shop's.

    The usual hour is the circular mean of the baskets' times of day, so that 23 h and 1 h meet at 0 h; its focus is the
    length of the mean vector (Fisher, Statistical Analysis of Circular Data, 1993).
    """
    at = F.from_utc_timestamp("at", time_zone)
    angle = (F.hour(at) + F.minute(at) / 60 + F.second(at) / 3600) * (2 * math.pi / 24)
    known = baskets_.where("lines > 0").select(
        "user_id",
        F.hour(at).alias("hour"),
        F.weekday(at).alias("day"),
        F.cos(angle).alias("x"),
        F.sin(angle).alias("y"),
    )
    hours, days = _counts("hour", 24), _counts("day", 7)
    users = known.groupBy("user_id").agg(
        *hours.values(),
        *days.values(),
        F.count("*").alias("n"),
        # Rounded, so that the order of summing cannot turn the direction of a vector that vanishes.
        F.round(F.sum("x"), 9).alias("x"),
        F.round(F.sum("y"), 9).alias("y"),
    )
    hour = F.pmod(F.atan2("y", "x") * (24 / (2 * math.pi)) + 24, F.lit(24.0))
    return users.select(
        "user_id",
        _shares(hours).alias("hour_shares"),
        _shares(days).alias("weekday_shares"),
        ((F.col("day_5") + F.col("day_6")) / F.col("n")).alias("weekend_share"),
        hour.alias("usual_hour"),
        F.least(F.sqrt(F.col("x") * F.col("x") + F.col("y") * F.col("y")) / F.col("n"), F.lit(1.0)).alias("hour_focus"),
    )


@feature(
    needs={"lines": ("user_id", "market", "store_id", "bought")},
    gives=("user_id", "market", "market_share", "markets", "store_id"),
)
def places(lines: DataFrame) -> DataFrame:
    """Home market and usual store (most purchase lines, ties by name), the home market's share, number of markets."""
    counted = lines.where("bought").groupBy("user_id", "market", "store_id").agg(F.count("*").alias("n"))
    markets = (
        counted.groupBy("user_id", "market")
        .agg(F.sum("n").alias("n"), F.min(_first("store_id")).alias("first_store"))
        .groupBy("user_id")
        .agg(
            F.min_by("market", F.struct(-F.col("n"), "market")).alias("market"),
            (F.max("n") / F.sum("n")).alias("market_share"),
            F.count("*").alias("markets"),
            F.min("first_store").alias("first_store"),
        )
    )
    return markets.withColumn("store_id", F.col("first_store.store_id"))


def _first(name: str) -> Column:
    """Orders counted rows by most lines, then name; null where the name is unknown."""
    return F.when(F.col(name).isNotNull(), F.struct((-F.col("n")).alias("n"), F.col(name)))


def _counts(field: str, length: int) -> dict[str, Column]:
    """By name, how many rows have each value 0 … length - 1 of ``field``."""
    return {f"{field}_{value}": F.count_if(F.col(field) == value).alias(f"{field}_{value}") for value in range(length)}


def _shares(counts: Iterable[str]) -> Column:
    """The shares that ``counts`` have of ``n``."""
    return F.array(*((F.col(name) / F.col("n")).cast("float") for name in counts))
