"""The days on which each user bought each item, and what they were as of several days: what the kernels share.

Letters of shapes: N rows, one a pair of user and item; of them P pairs with a purchase by then, with D days in all.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.moments import midnight

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

#: What ``bought`` says of each pair.
BOUGHT = ("pair_days", "pair_decayed", "pair_age", "pair_first_age", "units", "paid")


def histories(interactions: DataFrame, as_of: date) -> DataFrame:
    """One row a user and item bought before ``as_of``: user_id, item_id, days (array of structs, latest first).

    A day: age (whole days before ``as_of``, >= 1), known (those since all of its purchases are known, <= age but for
    clocks that disagree), units, paid and saved (0 where the shop does not say). Days are those of UTC.

    :param interactions: event_at, known_at, type, user_id, item_id, quantity, amount, discount
    """
    before = (F.col("type") == "purchase") & (F.col("event_at") < midnight(as_of))

    def said(name: str) -> Column:
        return F.coalesce(F.col(name).cast("double"), F.lit(0.0))

    lines = interactions.where(before).select(
        "user_id", "item_id", F.datediff(F.lit(as_of), F.to_date("event_at")).alias("age"),
        F.datediff(F.lit(as_of), F.to_date("known_at")).alias("known"),
        said("quantity").alias("units"), said("amount").alias("paid"), said("discount").alias("saved"),
    )  # fmt: skip
    sums = (F.min("known").alias("known"), *(F.sum(name).alias(name) for name in ("units", "paid", "saved")))
    # A user's rows are brought together once, for the days and for the pairs.
    days = lines.repartition("user_id").groupBy("user_id", "item_id", "age").agg(*sums)
    told = F.array_sort(F.collect_list(F.struct("age", "known", "units", "paid", "saved")))
    return days.groupBy("user_id", "item_id").agg(told.alias("days"))


@dataclass(frozen=True)
class Past:
    """What was known of pairs some days before the as-of date: the days of a pair one after another, latest first."""

    row_P: Indices
    start_P: Indices
    days_P: Array
    age_D: Array
    units_D: Array
    paid_D: Array
    saved_D: Array
    #: Whether the pair was bought in the days that followed.
    again_P: NDArray[np.bool_]

    def total(self, values_D: Array) -> Array:
        """The sum over each pair's days; [P]."""
        return np.add.reduceat(values_D, self.start_P) if len(self.start_P) else np.empty(0)

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


def past(days: pa.ChunkedArray, back: int, horizon: int) -> Past:
    """What was known ``back`` days before the as-of date, with ages counted from there.

    ``days`` as of ``histories``, no list empty. A purchase that came to be known later is not seen; a purchase within
    ``horizon`` days from there counts as bought again.
    """
    lists = days.combine_chunks()
    pair_D = np.repeat(np.arange(len(lists)), np.diff(lists.offsets.to_numpy()))
    told = {name: values.to_numpy().astype(np.float64) for name, values in _fields(lists.flatten()).items()}
    seen_D = np.minimum(told["age"], told["known"]) > back
    count_N = np.bincount(pair_D[seen_D], minlength=len(lists))
    row_P = np.flatnonzero(count_N)
    days_P = count_N[row_P]
    follows = (told["age"] <= back) & (told["age"] > back - horizon)
    again_N = np.bincount(pair_D[follows], minlength=len(lists)) > 0
    return Past(
        row_P, np.cumsum(days_P) - days_P, days_P.astype(np.float64), told["age"][seen_D] - back,
        told["units"][seen_D], told["paid"][seen_D], told["saved"][seen_D], again_N[row_P],
    )  # fmt: skip


def _fields(structs: pa.StructArray) -> dict[str, pa.Array]:
    return dict(zip((field.name for field in structs.type), structs.flatten(), strict=True))


def bought(histories: DataFrame, back: int, half_life_days: float) -> DataFrame:
    """One row a user and item that was known to be bought ``back`` days before the as-of date, ages counted from there.

    Columns: user_id, item_id; pair_days (days with a purchase), pair_decayed (the same, each halved every
    ``half_life_days``), pair_age and pair_first_age (days since the last and the first, >= 1), units, paid.
    """

    def sums(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = pa.table(batch)
            then = past(rows.column("days"), back, 0)
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
