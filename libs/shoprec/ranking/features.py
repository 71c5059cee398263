"""The ranker's view of each candidate: its sources, its user, its item, and the pair of both."""

from collections.abc import Sequence
from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.contracts.gold import EMBEDDED
from shoprec.moments import midnight
from shoprec.packed import binary, matrix_of, pack, unpacked
from shoprec.ranking.config import FACT_COLUMNS, FEATURES, ITEM_COLUMNS, ODDS, PAIR_COLUMNS, USER_COLUMNS
from shoprec.ranking.surroundings import KEYS, surround
from shoprec.whole import of_whole

#: Items whose facts, some 400 bytes each, are sent to all tasks: the pairs then stay with their users. Those of more
#: are brought together with the pairs by item, and the wide rows that come of it by user again.
MOST_SENT = 1 << 17

#: What ``pair_rows`` tells of a user and of an item, packed.
TOLD = {
    "user_told": tuple(f"user_{name}" for name in USER_COLUMNS),
    "item_told": tuple(f"item_{name}" for name in ITEM_COLUMNS),
    "facts_told": tuple(f"item_{name}" for name in FACT_COLUMNS),
}


def matched_by(sources: Sequence[str]) -> tuple[str, ...]:
    """The models of ``sources`` that say of every candidate, whoever proposed it, how well it matches the user."""
    return tuple(source for source in sources if source in EMBEDDED)


def feature_names(sources: Sequence[str]) -> tuple[str, ...]:
    """The ranker's columns, in their order in the model."""
    return (
        *(f"{what}_{source}" for source in sources for what in ("score", "rank")),
        *(f"match_{model}" for model in matched_by(sources)),
        "proposals",
        "best_rank",
        *PAIR_COLUMNS,
        *(name for names in TOLD.values() for name in names),
    )


def catalogue(items: DataFrame, *more: Column) -> DataFrame:
    """item_id, and its department, category, subcategory and brand as numbers, null where the shop does not know them.

    :param items: item_features: one row an item
    :param more: columns of it that are to stand beside them
    """
    return items.select(
        "item_id",
        _key("department").alias("department"),
        _key("department", "category").alias("category"),
        _key("department", "category", "subcategory").alias("subcategory"),
        _key("brand").alias("brand"),
        *more,
    )


def pair_rows(
    paired: DataFrame, user_index: DataFrame, profiles: DataFrame, items: DataFrame, facts: DataFrame
) -> DataFrame:
    """One row a pair that is a candidate (proposals > 0) or was bought: what, unpacked, ``surround`` makes features of.

    Of pairs that are no candidates, neither user nor item are told.

    :param paired: as of ``ranking.pairs.pairs``
    :param user_index: user_id, market of every user known then
    :param profiles: user_profiles of the same day: one row a user
    :param items: item_features of the same day: one row an item
    :param facts: item_id and ``FACT_COLUMNS`` of the same day: at most one row an item
    """
    columns = [F.col(name).cast("float").alias(f"item_{name}") for name in ITEM_COLUMNS]
    more = facts.select("item_id", *(F.col(name).cast("float").alias(f"item_{name}") for name in FACT_COLUMNS))
    # Packed before they are joined: they come out by item, as the pairs are to meet them.
    told = _packed(catalogue(items, *columns), "item_told").join(_packed(more, "facts_told"), on="item_id", how="left")
    if items.count() <= MOST_SENT:
        told = F.broadcast(told)
    known = profiles.select("user_id", *(F.col(name).cast("float").alias(f"user_{name}") for name in USER_COLUMNS))
    users = user_index.select("user_id", "market").join(_packed(known, "user_told"), on="user_id", how="left")
    return (
        paired.join(told, on="item_id", how="left")
        .join(users, on="user_id", how="left")
        .withColumns({name: F.when(F.col("proposals") > 0, F.col(name)) for name in TOLD})
        .withColumn("tie", F.xxhash64("user_id", "item_id"))
    )


def _packed(rows: DataFrame, name: str) -> DataFrame:
    return pack(rows, {name: TOLD[name]})


def _key(*names: str) -> Column:
    """A number for an attribute within its parents; null where the shop does not know it."""
    return F.when(F.col(names[-1]).isNotNull(), F.xxhash64(*names))


def features(rows: DataFrame, sources: Sequence[str]) -> DataFrame:
    """One row a candidate: ``KEYS``; pair_days, ``rank_<source>`` and ``ODDS`` (float); ``FEATURES``: all of
    ``feature_names``, packed. What is not known is null, in ``FEATURES`` NaN, never 0.

    ``rows`` as of ``pair_rows``. A source that did not propose the item has a null score and rank: that is its absence.
    """
    names = feature_names(sources)
    apart = ["pair_days", *(f"rank_{source}" for source in sources), ODDS]

    def make(rows: pa.Table) -> pa.Table:
        made = surround(unpacked(rows, TOLD), (*names, ODDS), sources)
        return made.select([*KEYS, *apart]).append_column(FEATURES, binary(matrix_of(made, names)))

    schema = ", ".join([*_types(rows, KEYS), *(f"{name} float" for name in apart), f"{FEATURES} binary"])
    return of_whole(rows, "user_id", "tie", make, schema)


def _types(rows: DataFrame, names: Sequence[str]) -> list[str]:
    return [f"{field.name} {field.dataType.simpleString()}" for field in rows.select(*names).schema]


def labelled(features: DataFrame, bought: DataFrame) -> DataFrame:
    """Adds ``label``: 1 for the pairs (user_id, item_id) of ``bought``, which holds each once, else 0."""
    chosen = bought.select("user_id", "item_id", F.lit(1).alias("label"))
    return features.join(chosen, on=["user_id", "item_id"], how="left").na.fill({"label": 0})


def bought_within(interactions: DataFrame, start: date, horizon: int) -> DataFrame:
    """The distinct pairs (user_id, item_id) with a purchase in [start, start + horizon days), days of UTC."""
    end = start + timedelta(days=horizon)
    during = (F.col("event_at") >= midnight(start)) & (F.col("event_at") < midnight(end))
    return interactions.where((F.col("type") == "purchase") & during).select("user_id", "item_id").distinct()
