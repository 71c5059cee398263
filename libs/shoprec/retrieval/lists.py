"""Lists made once for a market, handed to its users; and the order of every list."""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, Window
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


def for_users(market_lists: DataFrame, users: DataFrame, items: DataFrame, new: int, bought: int) -> DataFrame:
    """Each user's share of the home market's list: the first ``new`` items not seen and the first ``bought`` seen.

    Among equal scores each user has an order of his own (``ties.tie_order``), at the cut as anywhere in the list.

    :param market_lists: market, item_idx, score; some hundred rows a market, which one row of arrays can hold
    :param users: user_id, market, seen array<int>
    :param items: item_id, item_idx
    :return: user_id, item_idx, score
    """
    entry = F.struct((-F.col("score")).alias("minus"), "item_idx")
    packed = market_lists.groupBy("market").agg(F.array_sort(F.collect_list(entry)).alias("entries"))
    scores = F.col("entries")["minus"]
    from_behind = F.transform(scores, lambda score: F.array_position(F.reverse(scores), score))
    packed = packed.select(
        "market",
        F.col("entries")["item_idx"].alias("list"),
        # For each place the last one of equal score, counted from 1.
        F.transform(from_behind, lambda place: F.size("entries") + 1 - place.cast("int")).alias("last_equal"),
    )
    seen = F.coalesce("seen", F.array().cast("array<int>"))
    shares = F.concat(
        _with_ties(F.array_except, seen, new, "new"), _with_ties(F.array_intersect, seen, bought, "bought")
    )
    named = market_lists.join(items.select("item_id", "item_idx"), on="item_idx", how="inner")
    entries = (
        users.join(packed, on="market", how="inner")
        .select("user_id", "market", F.inline(shares))
        .join(named, on=["market", "item_idx"], how="inner")
    )
    order = Window.partitionBy("user_id", "sort").orderBy(F.desc("score"), tie_order("user_id", "item_id"), "item_id")
    place = F.row_number().over(order.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    quota = F.when(F.col("sort") == "new", new).otherwise(bought)
    return entries.withColumn("place", place).where(F.col("place") <= quota).select("user_id", "item_idx", "score")


def _with_ties(among: Callable[[Column, Column], Column], seen: Column, k: int, sort: str) -> Column:
    """The first ``k`` of the list ``among`` those seen or not, and what is equal to the last: (item_idx, sort)."""
    if not k:
        return F.array().cast("array<struct<item_idx: int, sort: string>>")
    last = F.get(among(F.col("list"), seen), F.lit(k - 1))
    until = F.get("last_equal", F.array_position("list", last).cast("int") - 1)
    head = F.slice("list", F.lit(1), F.coalesce(until, F.size("list")))
    return F.transform(among(head, seen), lambda item: F.struct(item.alias("item_idx"), F.lit(sort).alias("sort")))
