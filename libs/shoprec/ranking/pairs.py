"""What candidates and a user's own purchases say of each pair of user and item.

Purchases come to where their user is once, for the days and the windows over them; then candidates and purchases are
laid under one another, brought together by user, and only grouped: no join, so no fan-out.
"""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from shoprec.moments import midnight
from shoprec.ranking.config import DAYS, DAYS_MEMORIES, PERIODS_MEMORIES, VISITS, VISITS_MEMORIES


def purchases(interactions: DataFrame, as_of: date, horizon: int) -> DataFrame:
    """What was bought before ``as_of``, one row a user, item and day.

    Columns: user_id, item_id; age (whole days before ``as_of``, >= 1); units, paid (null where the shop does not say);
    visits (days since on which the user bought anything, >= 0); gap (days to the user's purchase of the item before
    this one, null: none); opens (whether it is the first of the item within its period of ``horizon`` days, counted
    back from ``as_of``).

    ``interactions``: event_at, type, user_id, item_id, quantity, amount. Days are those of UTC.
    """
    before = (F.col("type") == "purchase") & (F.col("event_at") < midnight(as_of))
    lines = interactions.where(before).select(
        "user_id", "item_id", F.datediff(F.lit(as_of), F.to_date("event_at")).alias("age"),
        F.col("quantity").cast("double").alias("units"), F.col("amount").cast("double").alias("paid"),
    )  # fmt: skip
    # A user's rows are brought together once, for the days and for both windows.
    days = lines.repartition("user_id").groupBy("user_id", "item_id", "age").agg(
        F.sum("units").alias("units"), F.sum("paid").alias("paid")
    )  # fmt: skip
    latest = Window.partitionBy("user_id").orderBy("age")
    visits = F.dense_rank().over(latest.rowsBetween(Window.unboundedPreceding, Window.currentRow)) - 1
    earlier = F.lead("age").over(Window.partitionBy("user_id", "item_id").orderBy("age"))
    opens = earlier.isNull() | (_period(earlier, horizon) > _period(F.col("age"), horizon))
    return days.withColumns({"visits": visits, "gap": earlier - F.col("age"), "opens": opens})


def _period(age: Column, horizon: int) -> Column:
    """0 for the ``horizon`` days before the as-of date, 1 for those before them, …"""
    return F.floor((age - 1) / F.lit(horizon))


def pairs(
    candidates: DataFrame,
    matched: DataFrame,
    bought: DataFrame,
    sources: Sequence[str],
    half_life_days: float,
    horizon: int,
) -> DataFrame:
    """One row a pair of user and item that is a candidate or was bought.

    ``candidates``: source, user_id, item_id, score, rank; ``matched``: user_id, item_id of every candidate and
    ``match_<model>``; ``bought`` as of ``purchases``. Gives proposals (how many sources proposed it; 0: not a
    candidate); for each source ``score_<source>`` (the source's own) and ``rank_<source>``, null where it did not
    propose the item; ``match_<model>``, null for what is not a candidate; and of the user's purchases of the item:

    - pair_days (days with one), pair_days_<n> (of the last n days), pair_decayed (days, each halved every
      ``half_life_days``), pair_decayed_<n> (every n days);
    - pair_age and pair_first_age (days since the last and the first; null: never bought), pair_last_gap (days between
      the last two);
    - pair_visits and pair_first_visits (visits of the user since the last and the first), pair_last_visits_<n> (of the
      user's latest n visits, those with the item), pair_habit_<n> (visits with it, each halved every n visits);
    - pair_period_rate (share of the periods of ``horizon`` days since the first, and one more, that have one),
      pair_periods_<n> (periods with one, each counting n % of the one that followed);
    - units and paid (0: never bought, or not said).
    """
    proposed = candidates.where(F.col("source").isin(list(sources)))
    both = proposed.select("user_id", "item_id", "source", "score", "rank")
    for more in (matched, bought):
        both = both.unionByName(more, allowMissingColumns=True)
    told = {
        f"{what}_{source}": F.max(F.when(F.col("source") == source, F.col(what)))
        for source in sources
        for what in ("score", "rank")
    } | {name: F.max(name) for name in matched.columns if name not in ("user_id", "item_id")}
    # Numbers alone are aggregated: a string among them would turn hashing into sorting.
    return (
        both.repartition("user_id")
        .groupBy("user_id", "item_id")
        .agg(
            F.count("source").alias("proposals"),
            *(column.alias(name) for name, column in told.items()),
            *(column.alias(name) for name, column in _habits(half_life_days, horizon).items()),
            F.coalesce(F.sum("units"), F.lit(0.0)).alias("units"),
            F.coalesce(F.sum("paid"), F.lit(0.0)).alias("paid"),
        )
    )


def _habits(half_life_days: float, horizon: int) -> dict[str, Column]:
    """What the days on which a user bought an item say of the pair; rows of candidates have none."""
    age, visits = F.col("age"), F.col("visits")
    period = _period(age, horizon)

    def total(weight: Column) -> Column:
        return F.coalesce(F.sum(weight), F.lit(0.0))

    def halved(back: Column, every: float) -> Column:
        return total(F.pow(F.lit(0.5), back / every))

    return {
        "pair_days": F.count(age),
        **{f"pair_days_{n}": F.count(F.when(age <= n, age)) for n in DAYS},
        "pair_decayed": halved(age, half_life_days),
        **{f"pair_decayed_{n}": halved(age, n) for n in DAYS_MEMORIES},
        "pair_age": F.min(age),
        "pair_first_age": F.max(age),
        "pair_last_gap": F.min_by("gap", age),
        "pair_visits": F.min(visits),
        "pair_first_visits": F.max(visits),
        **{f"pair_last_visits_{n}": F.count(F.when(visits < n, visits)) for n in VISITS},
        **{f"pair_habit_{n}": halved(visits, n) for n in VISITS_MEMORIES},
        # One period more than there were: what was bought in each of few is not sure to be bought in the next.
        "pair_period_rate": F.count(F.when(F.col("opens"), age)) / (_period(F.max(age), horizon) + 2),
        **{f"pair_periods_{n}": total(F.when(F.col("opens"), F.pow(F.lit(n / 100), period))) for n in PERIODS_MEMORIES},
    }
