"""item_knn: neighbours of items by common users or baskets, and scores from the neighbours of what a user bought.

Shrunk cosine after Sarwar et al. 2001 and Koren 2008 (shrinkage); lift after Brin et al. 1997.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from shoprec.models.item_knn.config import ItemKnnConfig, ItemNeighboursConfig
from shoprec.retrieval.inputs import Inputs, age_days, decay, exact_sum
from shoprec.retrieval.lists import best_of
from shoprec.retrieval.neighbour_scores import spoken
from shoprec.retrieval.neighbours import cosine, lift, neighbours
from shoprec.retrieval.ties import tie_order
from shoprec.reuse import Hold, as_it_is

CONFIG = ItemKnnConfig


def similar(purchases: DataFrame, items: DataFrame, config: ItemNeighboursConfig, hold: Hold = as_it_is) -> DataFrame:
    """Items that the same users buy: item_id, neighbour_id, similarity (shrunk cosine), support (users), rank."""
    held = purchases.select(F.col("user_id").alias("holder"), "item_idx", F.col("day").alias("latest"))
    return named(neighbours(held, config.similar, cosine(config.similar.shrink), hold), items)


def bought_together(
    purchases: DataFrame, items: DataFrame, config: ItemNeighboursConfig, hold: Hold = as_it_is
) -> DataFrame:
    """Items of the same baskets: item_id, neighbour_id, similarity (shrunk lift), support (baskets), rank."""
    held = purchases.select(F.col("basket_id").alias("holder"), "item_idx", F.col("day").alias("latest"))
    return named(neighbours(held, config.bought_together, lift(config.bought_together.shrink), hold), items)


def named(near: DataFrame, items: DataFrame) -> DataFrame:
    """Neighbours by their ids: item_id, neighbour_id, similarity, support, rank (1: nearest)."""
    ids = items.select("item_id", "item_idx")
    named = near.join(ids, on="item_idx", how="inner").join(
        ids.select(F.col("item_id").alias("neighbour_id"), F.col("item_idx").alias("neighbour_idx")),
        on="neighbour_idx",
        how="inner",
    )
    order = Window.partitionBy("item_id").orderBy(F.desc("similarity"), tie_order("item_id", "neighbour_id"))
    rank = F.row_number().over(order.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    return named.select("item_id", "neighbour_id", "similarity", "support", rank.alias("rank"))


def propose(inputs: Inputs, near: DataFrame, config: ItemKnnConfig, new: int, bought: int) -> DataFrame:
    """user_id, item_idx, score: the neighbours of the user's items, summed by similarity x weight.

    weight = log(1 + the days on which the user bought the item, decayed); the ``items`` weightiest speak.

    :param near: item_id, neighbour_id, similarity
    """
    weight = F.log1p(exact_sum(decay(age_days(inputs.as_of), config.half_life_days)))
    weighted = inputs.days.groupBy("user_id", "item_idx").agg(weight.alias("score")).where("score > 0")
    voices = best_of(weighted.join(inputs.items, on="item_idx", how="inner"), "user_id", config.items)
    return spoken(inputs, voices.withColumnRenamed("score", "weight"), near, new, bought)
