"""What all buyers of an item did, as of several days: rhythm, trend, price, and who buys it for the first time.

Sums of each item's pairs are made in an Arrow kernel, added up over the users, and turned into facts in SQL.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from shoprec.ranking.config import FIRSTS, PLANS, PROMOTED
from shoprec.ranking.groups import Array, Indices, least
from shoprec.ranking.histories import Days, Past, past
from shoprec.reuse import Hold

_SPANS = (7, 14, 28, 91)

#: Facts that the rankers of known items see, as item_<name>; ``item_facts`` explains all of them.
RHYTHM = (
    "repeat_rate", "gap", "repurchase_days", "trend_7d", "trend_14d", "trend_28d", "trend_28d_of_91d", "back_14d",
    "back_28d", "idle_days", "idle_baskets", "discount_depth", "discount_frequency", "price", "price_level", *PROMOTED,
)  # fmt: skip

#: Days and purchases added to both sides of a trend, buyers to those who came back, gaps of the shop to an item's.
_TREND_PRIOR, _REPEAT_PRIOR, _BACK_PRIOR, _GAP_PRIOR = 3.0, 10.0, 20.0, 2.0


def item_facts(
    histories: DataFrame, catalogue: DataFrame, planned: DataFrame, periods: int, horizon: int, hold: Hold
) -> DataFrame:
    """One row an item and period: what was known of it ``period`` horizons before the as-of date; period < ``periods``.

    ``histories`` as of ``ranking.histories``; ``planned`` as of ``ranking.plans``; ``catalogue``: item_id, category and
    subcategory as numbers, as they are at the as-of date for all periods: an item that moved is told where it came to.
    Gives item_id, period and (double; null where nothing says it):

    - repeat_rate (share of buyers who bought it on another day again, shrunk to the shop's), gap (days between a
      buyer's purchases, shrunk to the shop's, >= 1), repurchase_days (the same, not shrunk; null: nobody came back);
    - trend_<n>d (log of its purchases of n days over its share of 91, of 28 days over its share of all, shrunk, and
      trend_28d_of_91d), back_<n>d (buyers of the last n days over all buyers, shrunk), idle_days (since its last
      purchase), idle_baskets (the purchases that 91 days' pace would have brought in them);
    - discount_depth and discount_frequency (a discount that the shop does not say is none), price (paid a unit, of
      those whose price is said), price_level (log of it over its category's);
    - ``PLANS`` (as of ``ranking.plans``; 0 where the shop promotes others alone, null where no store promoted anything
      lately), and rival_<name>: the mean of it over the subcategory's other items, by their days of purchase in 28;
    - firsts_<n>d (log of its buyers' first purchases in n days, as many as if the shop's had kept the pace of 91),
      firsts_<n>d_of_<m>d (log of the pace of n days over that of m), first_share (first purchases among those of 28
      days), subcategory_<n>d (log of its subcategory's first purchases) and subcategory_part (its share of them);
      subcategory_share (its subcategory's share of all purchases).
    """

    def sums(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield from item_sums(pa.table(batch), periods, horizon).to_batches()

    schema = ", ".join(["item_id string, period int", *(f"{name} double" for name in SUMS)])
    added = [F.min(name) if name == "idle" else F.sum(name) for name in SUMS]
    # Held: the shop's sums are made of it, too.
    made = hold(
        histories.select("item_id", "days")
        .mapInArrow(sums, schema)
        .groupBy("item_id", "period")
        .agg(*(column.alias(name) for column, name in zip(added, SUMS, strict=True)))
    )
    shop = made.groupBy("period").agg(*(F.sum(name).alias(f"of_{name}") for name in SUMS))
    placed = (
        made.join(F.broadcast(shop), on="period", how="inner")
        .join(catalogue, on="item_id", how="left")
        .join(planned, on=["item_id", "period"], how="left")
        .join(
            F.broadcast(planned.select("period", F.lit(True).alias("shop_promotes")).distinct()),
            on="period",
            how="left",
        )
    )
    return placed.select("item_id", "period", *(column.alias(name) for name, column in _facts().items()))


#: What is added up over an item's buyers; ``idle`` is the least instead.
SUMS = (
    "buyers", "again", "span", "gaps", "days", *(f"days_{n}" for n in _SPANS), "users_14", "users_28", "idle",
    "priced", "paid", "saved", "offers", *(f"first_{n}" for n in FIRSTS),
)  # fmt: skip


def item_sums(rows: pa.Table, periods: int, horizon: int) -> pa.Table:
    """item_id, period and ``SUMS`` of the rows: one row an item and period with a purchase by then."""
    parts = []
    items = rows.column("item_id").combine_chunks().dictionary_encode()
    item_N, days = items.indices.to_numpy(), Days.of(rows.column("days"))
    for period in range(periods):
        then = past(days, period * horizon, horizon)
        item_P = item_N[then.row_P]
        found, inverse = np.unique(item_P, return_inverse=True)
        columns = {
            name: least(values, inverse) if name == "idle" else _total(values, inverse, len(found))
            for name, values in _pair_sums(then).items()
        }
        place = pa.array(np.full(len(found), period), pa.int32())
        parts.append(pa.table({"item_id": items.dictionary.take(pa.array(found)), "period": place, **columns}))
    return pa.concat_tables(parts)


def _total(values: Array, group: Indices, groups: int) -> Array:
    # Of nothing, bincount gives integers.
    return np.bincount(group, values, groups).astype(np.float64)


def _pair_sums(then: Past) -> dict[str, Array]:
    """What each pair adds to its item's ``SUMS``; [P]."""
    last, first = then.latest_P, then.first_P
    return {
        "buyers": np.ones(len(last)),
        "again": (then.days_P > 1).astype(np.float64),
        "span": first - last,
        "gaps": then.days_P - 1,
        "days": then.days_P,
        **{f"days_{n}": then.total((then.age_D <= n).astype(np.float64)) for n in _SPANS},
        **{f"users_{n}": (last <= n).astype(np.float64) for n in (14, 28)},
        "idle": last,
        "priced": then.total(then.priced_D),
        "paid": then.total(then.paid_D),
        "saved": then.total(then.saved_D),
        "offers": then.total((then.saved_D > 0).astype(np.float64)),
        **{f"first_{n}": (first <= n).astype(np.float64) for n in FIRSTS},
    }


def _facts() -> dict[str, Column]:
    col = F.col
    usual_gap = F.coalesce(col("of_span") / F.nullif("of_gaps", F.lit(0.0)), F.lit(30.0))
    usual_repeat = col("of_again") / col("of_buyers")
    price = col("paid") / F.nullif("priced", F.lit(0.0))
    paid, units = (F.sum(name).over(_of("category")) for name in ("paid", "priced"))
    usual_price = F.when(col("category").isNotNull(), paid / F.nullif(units, F.lit(0.0)))
    return {
        "repeat_rate": (col("again") + _REPEAT_PRIOR * usual_repeat) / (col("buyers") + _REPEAT_PRIOR),
        "gap": F.greatest((col("span") + _GAP_PRIOR * usual_gap) / (col("gaps") + _GAP_PRIOR), F.lit(1.0)),
        "repurchase_days": col("span") / F.nullif("gaps", F.lit(0.0)),
        "trend_7d": _trend("days_7", "days_91"),
        "trend_14d": _trend("days_14", "days_91"),
        "trend_28d": _trend("days_28", "days"),
        "trend_28d_of_91d": _trend("days_28", "days_91"),
        **{f"back_{n}d": (col(f"users_{n}") + 1) / (col("buyers") + _BACK_PRIOR) for n in (14, 28)},
        "idle_days": col("idle"),
        "idle_baskets": col("idle") * (col("days_91") + 0.5) / 91,
        "discount_depth": col("saved") / F.nullif(col("saved") + col("paid"), F.lit(0.0)),
        "discount_frequency": col("offers") / col("days"),
        "price": price,
        "price_level": F.log(F.nullif(price, F.lit(0.0)) / F.nullif(usual_price, F.lit(0.0))),
        **_firsts(),
        **_promoted(),
    }


def _promoted() -> dict[str, Column]:
    """The item's promotions, 0 where the shop promotes others alone, and what its rivals sold is promoted."""
    of_subcategory = _of("subcategory")
    sold = F.col("days_28") + 0.1
    made = {}
    for name in PLANS:
        own = F.when(F.col("shop_promotes"), F.coalesce(name, F.lit(0.0)))
        others = F.sum(own * sold).over(of_subcategory) - own * sold
        rest = F.sum(sold).over(of_subcategory) - sold
        made |= {name: own, f"rival_{name}": others / F.nullif(rest, F.lit(0.0))}
    return made


def _firsts() -> dict[str, Column]:
    """First purchases of the item by its buyers, and those of its subcategory."""
    pace = {n: _paced(n) for n in FIRSTS}
    of_subcategory = _of("subcategory")
    known = F.col("subcategory").isNotNull()
    ratios = {
        f"firsts_{n}d_of_{m}d": F.log((7 * pace[n] / n + 0.5) / (7 * pace[m] / m + 0.5))
        for n, m in ((3, 14), (7, 28), (7, 91), (28, 91))
    }
    days = F.sum("days").over(of_subcategory)
    return {
        **{f"firsts_{n}d": F.log(pace[n] + 0.5) for n in FIRSTS},
        **ratios,
        "first_share": (F.col("first_28") + 0.5) / (F.col("days_28") + 1),
        **{f"subcategory_{n}d": F.when(known, F.log(F.sum(pace[n]).over(of_subcategory) + 0.5)) for n in (7, 28, 91)},
        "subcategory_part": F.when(known, F.log((pace[28] + 0.1) / (F.sum(pace[28]).over(of_subcategory) + 1))),
        "subcategory_share": F.when(known, days / F.col("of_days")),
    }


def _of(level: str) -> WindowSpec:
    # Items that the shop does not place are each alone: together they might be millions.
    return Window.partitionBy("period", F.coalesce(level, F.xxhash64("item_id")))


def _paced(days: int) -> Column:
    """First purchases of the last ``days``, had the shop's been as many a day as over the longest span."""
    longest = FIRSTS[-1]
    usual = F.col(f"of_first_{longest}") * days / longest
    return F.coalesce(F.col(f"first_{days}") * usual / F.nullif(f"of_first_{days}", F.lit(0.0)), F.lit(0.0))


def _trend(short: str, long: str) -> Column:
    expected = F.col(long) * F.col(f"of_{short}") / F.nullif(f"of_{long}", F.lit(0.0))
    return F.log((F.col(short) + _TREND_PRIOR) / (F.coalesce(expected, F.lit(0.0)) + _TREND_PRIOR))
