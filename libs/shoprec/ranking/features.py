"""The ranker's view of each candidate: its sources, its user, its item, and the pair of both."""

from collections.abc import Sequence
from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.ranking.config import ITEM_COLUMNS, PAIR_COLUMNS, USER_COLUMNS
from shoprec.ranking.pairs import pairs, purchases
from shoprec.ranking.surroundings import KEYS, of_whole_users, surround


def feature_names(sources: Sequence[str]) -> tuple[str, ...]:
    """The ranker's columns, in their order in the model."""
    return (
        *(f"{what}_{source}" for source in sources for what in ("score", "rank")),
        "proposals",
        "best_rank",
        *PAIR_COLUMNS,
        *(f"user_{name}" for name in USER_COLUMNS),
        *(f"item_{name}" for name in ITEM_COLUMNS),
    )


def pair_rows(
    candidates: DataFrame,
    interactions: DataFrame,
    user_index: DataFrame,
    profiles: DataFrame,
    items: DataFrame,
    as_of: date,
    sources: Sequence[str],
    half_life_days: float,
) -> DataFrame:
    """One row a pair that is a candidate (proposals > 0) or was bought: what ``surround`` makes features of.

    :param candidates: source, user_id, item_id, score, rank of ``as_of``
    :param interactions: silver.interactions, known before ``as_of``; later events are left out
    :param user_index: user_id, market of every user known then
    :param profiles: user_profiles of ``as_of``: one row a user
    :param items: item_features of ``as_of``: one row an item
    """
    facts = items.select(
        "item_id",
        _key("department").alias("department"),
        _key("department", "category").alias("category"),
        _key("department", "category", "subcategory").alias("subcategory"),
        _key("brand").alias("brand"),
        *(F.col(name).cast("float").alias(f"item_{name}") for name in ITEM_COLUMNS),
    )
    known = profiles.select("user_id", *(F.col(name).cast("float").alias(f"user_{name}") for name in USER_COLUMNS))
    users = user_index.select("user_id", "market").join(known, on="user_id", how="left")
    return (
        pairs(candidates, purchases(interactions, as_of), sources, half_life_days)
        .join(facts, on="item_id", how="left")
        .join(users, on="user_id", how="left")
        .withColumn("tie", F.xxhash64("user_id", "item_id"))
    )


def _key(*names: str) -> Column:
    """A number for an attribute within its parents; null where the shop does not know it."""
    return F.when(F.col(names[-1]).isNotNull(), F.xxhash64(*names))


def features(rows: DataFrame, sources: Sequence[str]) -> DataFrame:
    """One row a candidate: ``KEYS`` and ``feature_names`` (float). What is not known is null, never 0.

    ``rows`` as of ``pair_rows``. A source that did not propose the item has a null score and rank: that is its absence.
    """
    names = feature_names(sources)

    def make(rows: pa.Table) -> pa.Table:
        return surround(rows, names, sources)

    schema = ", ".join([*_types(rows, KEYS), *(f"{name} float" for name in names)])
    return of_whole_users(rows, make, schema)


def _types(rows: DataFrame, names: Sequence[str]) -> list[str]:
    return [f"{field.name} {field.dataType.simpleString()}" for field in rows.select(*names).schema]


def labelled(features: DataFrame, interactions: DataFrame, start: date, horizon: int) -> DataFrame:
    """Adds ``label``: 1 where the user bought the item in [start, start + horizon days), else 0."""
    chosen = bought_within(interactions, start, horizon).withColumn("label", F.lit(1))
    return features.join(chosen, on=["user_id", "item_id"], how="left").na.fill({"label": 0})


def bought_within(interactions: DataFrame, start: date, horizon: int) -> DataFrame:
    """The distinct pairs (user_id, item_id) with a purchase in [start, start + horizon days), days of UTC."""
    end = start + timedelta(days=horizon)
    during = (F.col("event_at") >= F.lit(start).cast("timestamp")) & (F.col("event_at") < F.lit(end).cast("timestamp"))
    return interactions.where((F.col("type") == "purchase") & during).select("user_id", "item_id").distinct()
