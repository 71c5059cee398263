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
    rank = _place("user_id", "user_id")
    return named.select("market", "user_id", "item_id", "score", rank.alias("rank"))


def best_of(scored: DataFrame, by: str, k: int) -> DataFrame:
    """The ``k`` rows of highest score for each value of ``by`` (``user_id`` or ``market``).

    :param scored: by, item_idx, item_id, score
    :return: the same columns; equal scores are decided by ``ties.tie_order``
    """
    kept = scored.withColumn("place", _place(by, by)).where(F.col("place") <= k)
    return kept.select(by, "item_idx", "item_id", "score")


def considered(own: DataFrame, markets: DataFrame, widest: DataFrame) -> DataFrame:
    """What each market's list is made from: its own counts, and those of the ``widest`` items, 0 where it has none.

    :param own: market, item_idx and counts (double), one row a market and item
    :param markets: market, distinct
    :param widest: item_idx of what every market considers, distinct; as many as a list is long
    :return: the columns of ``own``
    """
    counts = [name for name in own.columns if name not in ("market", "item_idx")]
    nothing = (F.lit(0.0).alias(name) for name in counts)
    others = markets.join(widest, how="cross").select("market", "item_idx", *nothing)
    return own.unionByName(others).groupBy("market", "item_idx").agg(*(F.sum(name).alias(name) for name in counts))


def for_users(market_lists: DataFrame, users: DataFrame, new: int, bought: int) -> DataFrame:
    """Each user's share of the home market's list: the first ``new`` items not seen and the first ``bought`` seen.

    Among equal scores each user has an order of his own (``ties.tie_order``), at the cut as anywhere in the list.

    :param market_lists: market, item_idx, item_id, score; some thousand rows a market, which a row of arrays can hold
    :param users: user_id, market, seen array<int>
    :return: user_id, item_idx, score
    """
    better = Window.partitionBy("market").orderBy(F.desc("score"))
    # For each place the last one of equal score, counted from 1.
    last_equal = F.count(F.lit(1)).over(better.rangeBetween(Window.unboundedPreceding, Window.currentRow))
    entry = F.struct((-F.col("score")).alias("minus"), "item_idx", last_equal.cast("int").alias("last_equal"))
    packed = market_lists.select("market", entry.alias("entry")).groupBy("market")
    packed = packed.agg(F.sort_array(F.collect_list("entry")).alias("entries")).select(
        "market", F.col("entries")["item_idx"].alias("list"), F.col("entries")["last_equal"].alias("last_equal")
    )
    seen = F.coalesce("seen", F.array().cast("array<int>"))
    shares = F.concat(
        _with_ties(F.array_except, seen, new, "new"), _with_ties(F.array_intersect, seen, bought, "bought")
    )
    entries = (
        users.join(packed, on="market", how="inner")
        .select("user_id", "market", F.inline(shares))
        .join(market_lists, on=["market", "item_idx"], how="inner")
    )
    quota = F.when(F.col("sort") == "new", new).otherwise(bought)
    placed = entries.withColumn("place", _place("user_id", "user_id", "sort")).where(F.col("place") <= quota)
    return placed.select("user_id", "item_idx", "score")


def _place(left: str, *by: str) -> Column:
    """The place of a row among those of equal ``by``: 1 has the highest score, ties by (``left``, item_id)."""
    order = Window.partitionBy(*by).orderBy(F.desc("score"), tie_order(left, "item_id"), "item_id")
    return F.row_number().over(order.rowsBetween(Window.unboundedPreceding, Window.currentRow))


def _with_ties(among: Callable[[Column, Column], Column], seen: Column, k: int, sort: str) -> Column:
    """The first ``k`` of the list ``among`` those seen or not, and what is equal to the last: (item_idx, sort)."""
    if not k:
        return F.array().cast("array<struct<item_idx: int, sort: string>>")
    last = F.get(among(F.col("list"), seen), F.lit(k - 1))
    until = F.get("last_equal", F.array_position("list", last).cast("int") - 1)
    head = F.slice("list", F.lit(1), F.coalesce(until, F.size("list")))
    return F.transform(among(head, seen), lambda item: F.struct(item.alias("item_idx"), F.lit(sort).alias("sort")))
