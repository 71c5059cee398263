"""Which items the shop promotes in the days to come, as far as it has said so, and which it promoted lately.

Displays and mailers are the shop's own plans: a retailer knows next week's before it begins, and what stands in it is
what moves a habit from one item to its rival. Only plans that were known on the day that is looked at count.
"""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.moments import MICROS_A_DAY, midnight
from shoprec.ranking.config import PLANS, PROMOTED_IN

#: Days before the day that is looked at which are lately.
_LATELY = 28


def plans(promotions: DataFrame, as_of: date, periods: int, horizon: int) -> DataFrame:
    """One row an item and period with ``PLANS`` (double, 0 to 1), of items whose promotions had not all ended by then.

    ``mailer_ahead`` is the share of the store-days of the horizon that begins ``period`` horizons before ``as_of`` on
    which the item stands in the mailer, by what was known before that day; ``mailer_lately`` that of the 28 days
    before it; displays likewise. Stores are those that promoted anything lately; a period in which none did has no
    rows. Promotions of an item and store that overlap count twice, up to all store-days.

    :param promotions: kind, item_id, place, valid_from, valid_to (null: no end is said), known_at, display, mailer
    """
    days = [as_of - timedelta(days=period * horizon) for period in range(periods)]
    first = days[-1] - timedelta(days=_LATELY)
    recent = F.col("valid_to").isNull() | (F.col("valid_to") > midnight(first))
    promoted = promotions.where((F.col("kind") == "in_store") & recent & F.coalesce(*PROMOTED_IN).isNotNull())
    micros = [
        _sum(way, day, _micros(*_span(when, day, horizon))).alias(f"{way}_{when}_{period}")
        for period, day in enumerate(days)
        for way, when in map(_parts, PLANS)
    ]
    open_lately = [_known(day) & (_micros(*_span("lately", day, horizon)) > 0) for day in days]
    stores = promoted.groupBy("place").agg(*(F.max(told).alias(f"open_{p}") for p, told in enumerate(open_lately)))
    count = stores.agg(*(F.nullif(F.count_if(f"open_{p}"), F.lit(0)).alias(f"stores_{p}") for p in range(periods)))
    told = F.array(
        *(
            F.struct(F.lit(period).alias("period"), *(_share(name, period, day, horizon) for name in PLANS))
            for period, day in enumerate(days)
        )
    )
    made = promoted.groupBy("item_id").agg(*micros).join(F.broadcast(count), how="cross")
    by_period = made.select("item_id", F.explode(told).alias("told")).select("item_id", "told.*")
    return by_period.where(F.col(PLANS[0]).isNotNull())


def _parts(name: str) -> tuple[str, str]:
    way, when = name.split("_")
    return way, when


def _span(when: str, day: date, horizon: int) -> tuple[date, date]:
    if when == "ahead":
        return day, day + timedelta(days=horizon)
    return day - timedelta(days=_LATELY), day


def _share(name: str, period: int, day: date, horizon: int) -> Column:
    """The part of all stores' days; null where there was no store."""
    start, end = _span(_parts(name)[1], day, horizon)
    stores = F.col(f"stores_{period}")
    share = F.col(f"{name}_{period}") / (stores * float((end - start).days * MICROS_A_DAY))
    # A store that opens ahead is not among those that promoted lately, and spans of one store may overlap.
    return F.when(stores.isNotNull(), F.least(share, F.lit(1.0))).alias(name)


def _known(day: date) -> Column:
    return F.col("known_at") < midnight(day)


def _sum(way: str, day: date, micros: Column) -> Column:
    """The sum of ``micros`` over the promotions of this way that were known before ``day``."""
    return F.sum(F.when(F.col(way).isNotNull() & _known(day), micros).otherwise(0))


def _micros(start: date, end: date) -> Column:
    """Microseconds of the promotion that lie in [start, end): whole numbers, whose sums no order of rows changes."""
    begins = F.greatest("valid_from", midnight(start))
    ends = F.least(F.coalesce("valid_to", midnight(end)), midnight(end))
    return F.greatest(F.unix_micros(ends) - F.unix_micros(begins), F.lit(0))
