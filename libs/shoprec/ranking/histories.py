"""The days on which each user bought each item, and what they were as of several days: what the kernels share.

Letters of shapes: N rows, one a pair of user and item; of them P pairs with a purchase by then, with D days in all.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.moments import midnight
from shoprec.packed import binary, numbers
from shoprec.ranking.groups import Array, Indices, codes, opening
from shoprec.whole import of_whole

#: What ``histories`` says of an entry, in this order; the first ``_MOMENTS`` tell it from the pair's others.
ENTRY = ("age", "known", "until", "units", "paid", "priced", "saved")
_MOMENTS = 3

#: What ``bought`` says of each pair.
BOUGHT = ("pair_days", "pair_decayed", "pair_age", "pair_first_age", "units", "paid")


def histories(versions: DataFrame, as_of: date) -> DataFrame:
    """One row a user and item bought before ``as_of``: user_id, item_id, days (packed: ``ENTRY`` of one day after
    another, latest first, float64).

    An entry: age (whole days before ``as_of``, >= 1), known (those since it is known), until (those since a correction
    superseded it, 0: it stands); units, paid (0 where the shop does not say), priced (the units whose price it says)
    and saved. A day has an entry for each time at which something of it came to be known or was corrected: so what
    was known on an earlier day is known as it was then. Days are those of UTC.

    :param versions: all versions of the events known before ``as_of``, those superseded since too: event_at, known_at,
        superseded_at, type, user_id, item_id, quantity, amount, discount
    """
    moment = midnight(as_of)
    before = (F.col("type") == "purchase") & (F.col("event_at") < moment) & (F.col("known_at") < moment)
    until = F.when(F.col("superseded_at") < moment, _ago(as_of, "superseded_at")).otherwise(0)
    told = {
        "age": _ago(as_of, "event_at"),
        "known": _ago(as_of, "known_at"),
        "until": until,
        "units": F.col("quantity"),
        "paid": F.col("amount"),
        "priced": F.when(F.col("amount").isNotNull(), F.col("quantity")),
        "saved": F.col("discount"),
    }
    entries = (F.coalesce(told[name].cast("double"), F.lit(0.0)).alias(name) for name in ENTRY)
    lines = versions.where(before).select("user_id", "item_id", *entries)
    # Together by pair, not by user: one user may hold a good part of all lines.
    lines = lines.withColumn("pair", F.xxhash64("user_id", "item_id"))
    return of_whole(lines, "pair", "age", _days, "user_id string, item_id string, days binary")


def _days(lines: pa.Table) -> pa.Table:
    """The purchases of whole pairs, a row each, as ``histories``."""
    entry_L = np.stack([lines.column(name).to_numpy() for name in ENTRY], axis=1)
    key_L = [codes(lines.column("user_id")), codes(lines.column("item_id")), *entry_L.T[:_MOMENTS]]
    order = np.lexsort(key_L[::-1])
    entry_L, key_L = entry_L[order], [values[order] for values in key_L]
    opens = opening(*key_L)
    entry_E = entry_L[opens]
    # Money and units have three places at most: what adding them up in another order changes is rounded away.
    entry_E[:, _MOMENTS:] = np.round(np.add.reduceat(entry_L[:, _MOMENTS:], opens), 6)
    starts = opening(*(values[opens] for values in key_L[:2]))
    ends = np.append(starts, len(opens)) * len(ENTRY)
    pairs = lines.select(["user_id", "item_id"]).take(pa.array(order[opens[starts]]))
    return pairs.append_column("days", binary(entry_E, ends))


def _ago(as_of: date, name: str) -> Column:
    return F.datediff(F.lit(as_of), F.to_date(name))


@dataclass(frozen=True)
class Days:
    """The column ``days`` of ``histories`` as arrays: E entries of N pairs, those of a pair one after another."""

    pairs: int
    pair_E: Indices
    told: Mapping[str, Array]

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> "Days":
        """:param column: no value in it is empty"""
        values, ends = numbers(column, np.float64)
        told = dict(zip(ENTRY, np.ascontiguousarray(values.reshape(-1, len(ENTRY)).T), strict=True))
        return cls(len(column), np.repeat(np.arange(len(column)), np.diff(ends) // len(ENTRY)), told)

    def where(self, wanted_N: NDArray[np.bool_]) -> "Days":
        """The entries of the pairs that are wanted; pairs keep their numbers."""
        mine = wanted_N[self.pair_E]
        return Days(self.pairs, self.pair_E[mine], {name: values[mine] for name, values in self.told.items()})


@dataclass(frozen=True)
class Past:
    """What was known of pairs some days before the as-of date: the days of a pair one after another, latest first."""

    row_P: Indices
    start_P: Indices
    days_P: Array
    age_D: Array
    units_D: Array
    paid_D: Array
    priced_D: Array
    saved_D: Array
    #: Whether the pair was bought in the days that followed.
    again_P: NDArray[np.bool_]

    def total(self, values_D: Array) -> Array:
        """The sum over each pair's days; [P]."""
        return _sums(values_D, self.start_P)

    def each(self, values_P: Array) -> Array:
        """The pair's value on each of its days; [D]."""
        return np.repeat(values_P, self.days_P.astype(np.int64))

    @property
    def latest_P(self) -> Array:
        """Days since the last purchase, >= 1; [P]."""
        return self.age_D[self.start_P]

    @property
    def first_P(self) -> Array:
        """Days since the first purchase; [P]."""
        return self.age_D[self.start_P + self.days_P.astype(np.int64) - 1]

    @property
    def gap_D(self) -> Array:
        """Days to the pair's purchase before this one; NaN: none; [D]."""
        gap = np.full(len(self.age_D), np.nan)
        gap[:-1] = np.diff(self.age_D)
        gap[self.start_P + self.days_P.astype(np.int64) - 1] = np.nan
        return gap


def past(days: Days, back: int, horizon: int) -> Past:
    """What was known ``back`` days before the as-of date, as it stood then, with ages counted from there.

    A purchase that stands at the as-of date and fell within ``horizon`` days from there counts as bought again.
    """
    told, age_E = days.told, days.told["age"]
    seen_E = np.flatnonzero((np.minimum(age_E, told["known"]) > back) & (told["until"] <= back))
    pair_S, age_S = days.pair_E[seen_E], age_E[seen_E]
    start_D = opening(pair_S, age_S)
    sums = {name: _sums(told[name][seen_E], start_D) for name in ("units", "paid", "priced", "saved")}
    count_N = np.bincount(pair_S[start_D], minlength=days.pairs)
    row_P = np.flatnonzero(count_N)
    days_P = count_N[row_P]
    follows_E = (age_E <= back) & (age_E > back - horizon) & (told["until"] == 0)
    again_N = np.bincount(days.pair_E[follows_E], minlength=days.pairs) > 0
    return Past(
        row_P, np.cumsum(days_P) - days_P, days_P.astype(np.float64), age_S[start_D] - back,
        sums["units"], sums["paid"], sums["priced"], sums["saved"], again_N[row_P],
    )  # fmt: skip


def _sums(values: Array, starts: Indices) -> Array:
    """The sums of the stretches that begin at ``starts`` and together are all."""
    return np.add.reduceat(values, starts) if len(starts) else np.empty(0)


def bought(histories: DataFrame, back: int, half_life_days: float) -> DataFrame:
    """One row a user and item that was known to be bought ``back`` days before the as-of date, ages counted from there.

    Columns: user_id, item_id; pair_days (days with a purchase), pair_decayed (the same, each halved every
    ``half_life_days``), pair_age and pair_first_age (days since the last and the first, >= 1), units, paid.
    """

    def sums(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Histories [user_id, item_id, days …] in, one row out for each that had begun ``back`` days before."""
        for batch in batches:
            rows = pa.table(batch)
            then = past(Days.of(rows.column("days")), back, 0)
            kept = rows.select(["user_id", "item_id"]).take(pa.array(then.row_P))
            columns = {
                "pair_days": then.days_P,
                "pair_decayed": then.total(0.5 ** (then.age_D / half_life_days)),
                "pair_age": then.latest_P,
                "pair_first_age": then.first_P,
                "units": then.total(then.units_D),
                "paid": then.total(then.paid_D),
            }
            yield from pa.table({**dict(zip(kept.column_names, kept.columns, strict=True)), **columns}).to_batches()

    floats = ", ".join(f"{name} double" for name in BOUGHT)
    return histories.mapInArrow(sums, f"user_id string, item_id string, {floats}")
