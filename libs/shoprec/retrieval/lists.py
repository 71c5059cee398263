"""Lists made once for a market, handed to its users; and the order of every list."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from shoprec.retrieval.ties import tie_order


def ranked(scored: DataFrame, users: DataFrame, items: DataFrame) -> DataFrame:
    """A source's lists in the shape of the candidates table.

    :param scored: user_id, item_idx, score
    :param users: user_id, market (home)
    :param items: item_id, item_idx
    :return: market, user_id, item_id, score, rank (1: highest score; equal scores by ``ties.tie_order``)
    """
    named = scored.join(items.select("item_id", "item_idx"), on="item_idx", how="inner").join(
        users.select("user_id", "market"), on="user_id", how="inner"
    )
    order = Window.partitionBy("user_id").orderBy(F.desc("score"), tie_order("user_id", "item_id"), "item_id")
    rank = F.row_number().over(order.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    return named.select("market", "user_id", "item_id", "score", rank.alias("rank"))


def best_of(scored: DataFrame, by: str, items: DataFrame, k: int) -> DataFrame:
    """The ``k`` rows of highest score for each value of ``by`` (``user_id`` or ``market``): by, item_idx, score.

    :param scored: by, item_idx, score
    :param items: item_id, item_idx
    """
    named = scored.join(items.select("item_id", "item_idx"), on="item_idx", how="inner")
    order = Window.partitionBy(by).orderBy(F.desc("score"), tie_order(by, "item_id"), "item_id")
    place = F.row_number().over(order.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    return named.withColumn("place", place).where(F.col("place") <= k).select(by, "item_idx", "score")


def for_users(market_lists: DataFrame, users: DataFrame, new: int, bought: int) -> DataFrame:
    """Each user's share of the home market's list: the first ``new`` items not seen and the first ``bought`` seen.

    :param market_lists: market, item_idx, score; some hundred rows a market, which one row of arrays can hold
    :param users: user_id, market, seen array<int>
    :return: user_id, item_idx, score
    """
    entry = F.struct((-F.col("score")).alias("minus"), F.xxhash64("market", "item_idx").alias("tie"), "item_idx")
    packed = market_lists.groupBy("market").agg(F.array_sort(F.collect_list(entry))["item_idx"].alias("list"))
    seen = F.coalesce("seen", F.array().cast("array<int>"))
    chosen = F.concat(
        F.slice(F.array_except("list", seen), 1, new) if new else F.array().cast("array<int>"),
        F.slice(F.array_intersect("list", seen), 1, bought) if bought else F.array().cast("array<int>"),
    )
    shares = users.join(packed, on="market", how="inner").select(
        "user_id", "market", F.explode(chosen).alias("item_idx")
    )
    return shares.join(market_lists, on=["market", "item_idx"], how="inner").select("user_id", "item_idx", "score")
