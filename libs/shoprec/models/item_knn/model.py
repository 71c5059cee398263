"""item_knn: neighbours of items by common users or baskets, and scores from the neighbours of what a user bought.

Shrunk cosine after Sarwar et al. 2001 and Koren 2008 (shrinkage); lift after Brin et al. 1997.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from shoprec.models.item_knn.config import ItemKnnConfig, ItemNeighboursConfig
from shoprec.retrieval.inputs import Inputs, age_days, decay, exact_sum
from shoprec.retrieval.lists import best_of
from shoprec.retrieval.neighbour_scores import neighbour_scores
from shoprec.retrieval.neighbours import cosine, lift, neighbours
from shoprec.retrieval.ties import id_hash, tie_order
from shoprec.reuse import Hold, as_it_is

CONFIG = ItemKnnConfig


def similar(purchases: DataFrame, items: DataFrame, config: ItemNeighboursConfig, hold: Hold = as_it_is) -> DataFrame:
    """Items that the same users buy: item_id, neighbour_id, similarity (shrunk cosine), support (users), rank."""
    held = purchases.select(F.col("user_id").alias("holder"), "item_idx", F.col("day").alias("latest"))
    return _named(neighbours(held, config.similar, cosine(config.similar.shrink), hold), items)


def bought_together(
    purchases: DataFrame, items: DataFrame, config: ItemNeighboursConfig, hold: Hold = as_it_is
) -> DataFrame:
    """Items of the same baskets: item_id, neighbour_id, similarity (shrunk lift), support (baskets), rank."""
    held = purchases.select(F.col("basket_id").alias("holder"), "item_idx", F.col("day").alias("latest"))
    return _named(neighbours(held, config.bought_together, lift(config.bought_together.shrink), hold), items)


def _named(near: DataFrame, items: DataFrame) -> DataFrame:
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
    numbered = (
        near.select("item_id", F.col("neighbour_id"), "similarity")
        .join(inputs.items, on="item_id", how="inner")
        .drop("item_id")
        .join(inputs.offered.toDF("neighbour_id", "neighbour_idx"), on="neighbour_id", how="inner")
        .select("item_idx", "neighbour_idx", id_hash("neighbour_id").alias("neighbour_hash"), "similarity")
    )
    return neighbour_scores(inputs.users, voices.withColumnRenamed("score", "weight"), numbered, new, bought)
