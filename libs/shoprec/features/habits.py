"""When and where a user buys."""

import math

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
    # At most 7 x 24 cells a user.
    cells = (
        baskets_.where("lines > 0")
        .groupBy("user_id", F.weekday(at).alias("day"), F.hour(at).alias("hour"))
        .agg(F.count("*").alias("n"), F.sum(F.cos(angle)).alias("x"), F.sum(F.sin(angle)).alias("y"))
    )
    users = cells.groupBy("user_id").agg(
        F.collect_list(F.struct("day", "hour", "n")).alias("cells"),
        F.sum("n").alias("n"),
        # Rounded, so that the order of summing cannot turn the direction of a vector that vanishes.
        F.round(F.sum("x"), 9).alias("x"),
        F.round(F.sum("y"), 9).alias("y"),
        F.sum(F.when(F.col("day") >= 5, F.col("n")).otherwise(0)).alias("weekend"),
    )
    hour = F.pmod(F.atan2("y", "x") * (24 / (2 * math.pi)) + 24, F.lit(24.0))
    return users.select(
        "user_id",
        _shares("hour", 24).alias("hour_shares"),
        _shares("day", 7).alias("weekday_shares"),
        (F.col("weekend") / F.col("n")).alias("weekend_share"),
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


def _shares(field: str, length: int) -> Column:
    """The share of ``n`` that falls to each value 0 … length - 1 of a field of ``cells``."""

    def share(value: Column) -> Column:
        of_value = F.filter("cells", lambda cell: cell[field] == value)
        return F.aggregate(of_value, F.lit(0), lambda total, cell: total + cell["n"].cast("int")) / F.col("n")

    return F.transform(F.sequence(F.lit(0), F.lit(length - 1)), lambda value: share(value).cast("float"))
