"""Recommendations as documents: one line a user, with both lists."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.contracts.gold import LISTS


def documents(recommendations: DataFrame, items: DataFrame, as_of: date, run_id: str) -> DataFrame:
    """One row a user and market: user_id, market, as_of, run_id, all, discovery; sorted within its files by user.

    ``recommendations`` as of its contract; ``items``: item_id, name, one row an item. Each list is an array of (rank,
    item_id, name, score, reasons, sources) in order of rank; empty where the user has no such list.
    """
    entry = F.struct("rank", "item_id", "name", "score", "reasons", "sources")
    lists = {name: F.sort_array(F.collect_list(F.when(F.col("list") == name, entry))) for name in LISTS}
    return (
        recommendations.join(items.select("item_id", "name"), on="item_id", how="left")
        .groupBy("user_id", "market")
        .agg(*(column.alias(name) for name, column in lists.items()))
        .select("user_id", "market", _text(as_of).alias("as_of"), F.lit(run_id).alias("run_id"), *LISTS)
        .sortWithinPartitions("user_id", "market")
    )


def _text(day: date) -> Column:
    return F.lit(day.isoformat())
