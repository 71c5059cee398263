"""Which items the shop promotes in the days to come, as far as it has said so, and which it promoted lately.

Displays and mailers are the shop's own plans: a retailer knows next week's before it begins, and what stands in it is
what moves a habit from one item to its rival. Only plans that were known on the day that is looked at count.
"""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.moments import days_between, midnight
from shoprec.ranking.config import PLANS

#: How an item is promoted in a store: a column of silver.promotions.
HOW = ("mailer", "display")

#: Days before the day that is looked at which are lately.
_LATELY = 28


def plans(promotions: DataFrame, as_of: date, periods: int, horizon: int) -> DataFrame:
    """One row an item and period with ``PLANS`` (double), of the items that any counted promotion names.

    ``mailer_ahead`` is the share of the store-days of the horizon that begins ``period`` horizons before ``as_of`` on
    which the item stands in the mailer, by what was known before that day; ``mailer_lately`` that of the 28 days
    before it; displays likewise. Stores are those that promoted anything lately. No rows where there were none.

    :param promotions: kind, item_id, place, valid_from, valid_to (null: no end is said), known_at, display, mailer
    """
    first = as_of - timedelta(days=(periods - 1) * horizon + _LATELY)
    recent = F.col("valid_to").isNull() | (F.col("valid_to") > midnight(first))
    in_store = promotions.where((F.col("kind") == "in_store") & recent)
    days = [as_of - timedelta(days=period * horizon) for period in range(periods)]
    spans = {
        "ahead": [(day, day + timedelta(days=horizon)) for day in days],
        "lately": [(day - timedelta(days=_LATELY), day) for day in days],
    }
    totals = [
        _store_days(how, day, *spans[when][period]).alias(f"{how}_{when}_{period}")
        for how in HOW
        for when in spans
        for period, day in enumerate(days)
    ]
    stores = in_store.groupBy("place").agg(
        *(F.max(_known(day) & (_within(*spans["lately"][p]) > 0)).alias(f"open_{p}") for p, day in enumerate(days))
    )
    count = stores.agg(*(F.nullif(F.count_if(f"open_{p}"), F.lit(0)).alias(f"stores_{p}") for p in range(periods)))
    length = {"ahead": horizon, "lately": _LATELY}
    told = F.array(
        *(
            F.struct(
                F.lit(period).alias("period"),
                *(
                    (F.col(f"{how}_{when}_{period}") / (F.col(f"stores_{period}") * length[when])).alias(
                        f"{how}_{when}"
                    )
                    for how in HOW
                    for when in length
                ),
            )
            for period in range(periods)
        )
    )
    made = in_store.groupBy("item_id").agg(*totals).join(F.broadcast(count), how="cross")
    by_period = made.select("item_id", F.explode(told).alias("told")).select("item_id", "told.*")
    return by_period.where(F.col(PLANS[0]).isNotNull())


def _known(day: date) -> Column:
    return F.col("known_at") < midnight(day)


def _store_days(how: str, day: date, start: date, end: date) -> Column:
    """The days in [start, end) on which what was known before ``day`` promotes the item so."""
    return F.sum(F.when(F.col(how).isNotNull() & _known(day), _within(start, end)).otherwise(0.0))


def _within(start: date, end: date) -> Column:
    """Days of the promotion that lie in [start, end)."""
    begins = F.greatest("valid_from", midnight(start))
    ends = F.least(F.coalesce("valid_to", midnight(end)), midnight(end))
    return F.greatest(days_between(begins, ends), F.lit(0.0))
