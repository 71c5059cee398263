"""buy_again: what the user has bought before, by how often, how lately, and the rhythm of the user and the item."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from shoprec.models.buy_again.config import BuyAgainConfig
from shoprec.retrieval.inputs import Inputs, age_days, decay, exact_sum
from shoprec.retrieval.lists import best_of

CONFIG = BuyAgainConfig


def propose(inputs: Inputs, config: BuyAgainConfig, new: int, bought: int) -> DataFrame:
    """user_id, item_idx, score: the ``bought`` best of the user's items. ``new`` must be 0: it knows none.

    :raises ValueError: new items are asked for
    """
    if new:
        raise ValueError(f"buy_again proposes what was bought before and cannot give {new} new items: set new to 0")
    offered = scores(inputs, config).join(inputs.offered, on="item_idx", how="inner")
    return best_of(offered, "user_id", bought).drop("item_id")


def scores(inputs: Inputs, config: BuyAgainConfig) -> DataFrame:
    """user_id, item_idx, score of every item that the user has bought.

    score = (habit + item_pull · repeat) / (1 + (idle / (overdue_gaps · gap))²), where

    - habit sums the days on which the user bought the item, each halved every ``half_life_visits`` days on which the
      user bought anything since: a clock that stands still while the user stays away;
    - repeat is the share of the item's buyers who bought it again, shrunk to the shop's;
    - gap is the days between purchases of this item by this user, shrunk to the item's, and that to the shop's;
    - idle is the days since the last: an item long overdue has been given up.
    """
    since = Window.partitionBy("user_id").orderBy(F.desc("day"))
    # dense_rank numbers the user's days from the latest: rows of one day share a number.
    visits_ago = F.dense_rank().over(since.rowsBetween(Window.unboundedPreceding, Window.currentRow)) - 1
    age = age_days(inputs.as_of)
    pairs = inputs.hold(
        inputs.days.withColumn("visits_ago", visits_ago)
        .groupBy("user_id", "item_idx")
        .agg(
            exact_sum(decay(F.col("visits_ago"), config.half_life_visits)).alias("habit"),
            (F.count(F.lit(1)) - 1).alias("gaps"),
            F.min(age).alias("idle"),
            (F.max(age) - F.min(age)).alias("span"),
        )
    )
    gap = (F.col("span") + config.gap_prior * F.col("item_gap")) / (F.col("gaps") + config.gap_prior)
    overdue = F.col("idle") / (config.overdue_gaps * gap)
    return pairs.join(_rhythms(pairs, config), on="item_idx", how="inner").select(
        "user_id",
        "item_idx",
        ((F.col("habit") + config.item_pull * F.col("repeat")) / (1 + overdue * overdue)).alias("score"),
    )


def _rhythms(pairs: DataFrame, config: BuyAgainConfig) -> DataFrame:
    """item_idx, repeat (share of buyers who came back), item_gap (days, at least 1), both shrunk to the shop's."""
    items = pairs.groupBy("item_idx").agg(
        F.count(F.lit(1)).alias("buyers"),
        F.count_if(F.col("gaps") > 0).alias("again"),
        F.sum("span").alias("span"),
        F.sum("gaps").alias("gaps"),
    )
    # A shop where nobody ever came back has no rhythm: a month stands in for it.
    usual_gap = F.when(F.sum("gaps") > 0, F.sum("span") / F.sum("gaps")).otherwise(F.lit(30.0))
    shop = items.agg((F.sum("again") / F.sum("buyers")).alias("usual"), usual_gap.alias("usual_gap"))
    prior, gap_prior = F.lit(config.rate_prior), F.lit(config.gap_prior)
    repeat = (F.col("again") + prior * F.col("usual")) / (F.col("buyers") + prior)
    item_gap = (F.col("span") + gap_prior * F.col("usual_gap")) / (F.col("gaps") + gap_prior)
    return items.join(F.broadcast(shop), how="cross").select(
        "item_idx", repeat.alias("repeat"), F.greatest(item_gap, F.lit(1.0)).alias("item_gap")
    )
