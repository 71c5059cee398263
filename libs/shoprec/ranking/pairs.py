"""What candidates and a user's own purchases say of each pair of user and item, in one pass over both.

Candidates and purchases are laid under one another, moved to where their user is once, and then only grouped by keys
that begin with the user: no join, so no fan-out, and no second shuffle.
"""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.moments import midnight

#: Days that ``pair_recent_days`` looks back.
RECENT_DAYS = 28


def purchases(interactions: DataFrame, as_of: date) -> DataFrame:
    """Purchases before ``as_of``: user_id, item_id, age (whole days before ``as_of``, >= 1), units, paid.

    ``interactions``: event_at, type, user_id, item_id, quantity, amount. Days are those of UTC; ``paid`` is null
    where the shop does not say.
    """
    before = (F.col("type") == "purchase") & (F.col("event_at") < midnight(as_of))
    return interactions.where(before).select(
        "user_id", "item_id", F.datediff(F.lit(as_of), F.to_date("event_at")).alias("age"),
        F.col("quantity").cast("double").alias("units"), F.col("amount").cast("double").alias("paid"),
    )  # fmt: skip


def pairs(
    candidates: DataFrame, matched: DataFrame, bought: DataFrame, sources: Sequence[str], half_life_days: float
) -> DataFrame:
    """One row a pair of user and item that is a candidate or was bought.

    ``candidates``: source, user_id, item_id, score, rank; ``matched``: user_id, item_id of every candidate and
    ``match_<model>``; ``bought`` as of ``purchases``. Gives proposals (how many sources proposed it; 0: not a
    candidate); for each source ``score_<source>`` (the source's own) and ``rank_<source>``, null where it did not
    propose the item; ``match_<model>``, null for what is not a candidate; and of the user's purchases of the item:
    pair_days (days with one), pair_recent_days (of the last 28), pair_decayed (days, each halved every
    ``half_life_days``), pair_age and pair_first_age (days since the last and the first; null: never bought), units and
    paid (0: never bought, or not said).
    """
    proposed = candidates.where(F.col("source").isin(list(sources)))
    both = proposed.select("user_id", "item_id", "source", "score", "rank")
    for more in (matched, bought.select("user_id", "item_id", "age", "units", "paid")):
        both = both.unionByName(more, allowMissingColumns=True)
    told = {
        f"{what}_{source}": F.max(F.when(F.col("source") == source, F.col(what)))
        for source in sources
        for what in ("score", "rank")
    } | {name: F.max(name) for name in matched.columns if name not in ("user_id", "item_id")}
    # Numbers alone are aggregated: a string among them would turn hashing into sorting.
    days = (
        both.repartition("user_id")
        .groupBy("user_id", "item_id", "age")
        .agg(
            F.count("source").alias("proposals"),
            *(column.alias(name) for name, column in told.items()),
            F.sum("units").alias("units"),
            F.sum("paid").alias("paid"),
        )
    )
    age = F.col("age")
    return days.groupBy("user_id", "item_id").agg(
        F.sum("proposals").alias("proposals"),
        *(F.max(name).alias(name) for name in told),
        F.count(age).alias("pair_days"),
        F.count(F.when(age <= RECENT_DAYS, age)).alias("pair_recent_days"),
        F.coalesce(F.sum(F.pow(F.lit(0.5), age / half_life_days)), F.lit(0.0)).alias("pair_decayed"),
        F.min(age).alias("pair_age"),
        F.max(age).alias("pair_first_age"),
        F.coalesce(F.sum("units"), F.lit(0.0)).alias("units"),
        F.coalesce(F.sum("paid"), F.lit(0.0)).alias("paid"),
    )
