"""What every source of candidates starts from: purchases, and each user with the items that they have bought."""

import math
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.moments import midnight
from shoprec.reuse import Hold, as_it_is, dealt


@dataclass(frozen=True)
class Inputs:
    """The tables that sources draw from, as of one day.

    ``purchases``: user_id, item_idx, market, basket_id, day (date), at (long), one row a line (see ``purchases_of``).
    ``days``: user_id, item_idx, day, distinct (see ``days_of``).
    ``users``: user_id, market (home), seen array<int> (numbers of the items ever bought, null: none).
    ``items``: item_id, item_idx of all that was ever bought.
    ``offered``: item_id, item_idx of those that may be proposed.
    ``sent_back``: user_id, item_idx of what a user bought and returned in full (see ``sent_back_of``).
    ``hold``: of rows that a source reads several times, the same rows, which may be computed once.
    """

    purchases: DataFrame
    days: DataFrame
    users: DataFrame
    items: DataFrame
    offered: DataFrame
    sent_back: DataFrame
    as_of: date
    hold: Hold = as_it_is


def purchases_of(interactions: DataFrame, item_index: DataFrame, as_of: date) -> DataFrame:
    """Purchase lines of indexed items that happened before ``as_of``: user_id, item_idx, market, basket_id, day, and
    at (microseconds since 1970, UTC).

    Where the source has no basket, the user's day is one.

    :param interactions: user_id, item_id, market, basket_id, event_at, type
    :param item_index: item_id, item_idx
    """
    day = F.to_date("event_at")
    known = (F.col("type") == "purchase") & (F.col("event_at") < midnight(as_of))
    lines = interactions.where(known).join(item_index.select("item_id", "item_idx"), on="item_id", how="inner")
    basket = F.coalesce("basket_id", F.concat_ws("/", F.lit("day"), "user_id", day.cast("string")))
    return lines.select(
        "user_id",
        "item_idx",
        "market",
        basket.alias("basket_id"),
        day.alias("day"),
        F.unix_micros("event_at").alias("at"),
    )


def days_of(purchases: DataFrame) -> DataFrame:
    """The days on which each user bought each item: user_id, item_idx, day, each once.

    A user's rows are in one part, so that what goes on by user moves nothing.

    :param purchases: as of ``purchases_of``
    """
    return dealt(purchases.select("user_id", "item_idx", "day"), "user_id").distinct()


def sent_back_of(interactions: DataFrame, item_index: DataFrame, as_of: date) -> DataFrame:
    """user_id, item_idx of the pairs of which at least as many units were returned before ``as_of`` as were bought.

    :param interactions: user_id, item_id, event_at, type, quantity (< 0 for returns)
    :param item_index: item_id, item_idx
    """
    moved = F.col("type").isin("purchase", "return") & (F.col("event_at") < midnight(as_of))
    pairs = interactions.where(moved).groupBy("user_id", "item_id")
    returned = F.count_if(F.col("type") == "return") > 0
    back = pairs.agg(F.sum("quantity").alias("kept"), returned.alias("returned")).where("returned AND kept <= 0")
    return back.join(item_index, on="item_id", how="inner").select("user_id", "item_idx")


def users_with_seen(user_index: DataFrame, days: DataFrame) -> DataFrame:
    """Every user of the index with home market and ``seen``: the numbers of the items that they have bought."""
    seen = days.groupBy("user_id").agg(F.sort_array(F.collect_set("item_idx")).alias("seen"))
    return user_index.select("user_id", "market").join(seen, on="user_id", how="left")


def age_days(as_of: date, day: str = "day") -> Column:
    """Whole days between a date column and the as-of date."""
    return F.datediff(F.lit(as_of), F.col(day))


def exact_sum(value: Column) -> Column:
    """The sum of a column of numbers in [0, 1], in steps of 2^-30: the same whatever order the rows come in.

    Whole numbers add up exactly, floats do not; a list whose scores depend on the order of a shuffle would change
    from run to run. Overflows beyond eight billion rows.
    """
    return F.sum(F.round(value * float(1 << 30)).cast("long")) / F.lit(float(1 << 30))


def decay(age: Column, half_life: float) -> Column:
    """Weight in (0, 1] of something ``age`` days or visits ago: halved every ``half_life``."""
    return F.exp(age * F.lit(-math.log(2) / half_life))
