"""Items that users bought before, as of several days: an Arrow kernel over whole users.

The days whose purchases since are known, to learn from, and the as-of date are looked at in one passage. Letters of
shapes as in ``histories``.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.packed import numbers, pack, packed
from shoprec.ranking.config import FEATURES, HABIT
from shoprec.ranking.groups import Array, Indices, codes, codes_or_none, finite, opening
from shoprec.ranking.habit_features import NAMES, habit_features
from shoprec.ranking.histories import Days, past
from shoprec.ranking.item_facts import RHYTHM
from shoprec.ranking.surroundings import LEVELS
from shoprec.whole import of_whole

#: Rows that are learnt from, of each user and period: those of the highest scores.
LEARNT = 60


@dataclass(frozen=True)
class Habits:
    """The kernel: rows of whole users in, one row a pair and period out.

    ``periods``: how many horizons back are looked at, the as-of date itself (0) among them; ``most``: the pairs of a
    user that are to be ranked at the as-of date, those of the highest scores.
    """

    periods: int
    horizon: int
    most: int

    def __call__(self, rows: pa.Table) -> pa.Table:
        """user_id, item_id, period, label, trips and ``NAMES`` (float32), the rows of a user one after another.

        ``rows``: user_id, item_id, days (as of ``histories``), then (``RHYTHM`` of one period after another, packed),
        the levels of the catalogue as numbers, tie (a hash that orders equal scores) and teaches (whether its user is
        learnt from).
        label: bought in the ``horizon`` days from then; of period 0, 0. trips: visits to be expected in these days.
        """
        levels = {level: codes_or_none(rows, level) for level in LEVELS}
        user_N, tie_N = codes(rows.column("user_id")), rows.column("tie").to_numpy()
        teaches_N = rows.column("teaches").to_numpy()
        facts, days = _Facts(rows), Days.of(rows.column("days"))
        parts = []
        for period in range(self.periods):
            then = past(days.where(teaches_N) if period else days, period * self.horizon, self.horizon)
            user_P, item = user_N[then.row_P], facts.of(then.row_P, period)
            with np.errstate(divide="ignore", invalid="ignore"):
                made = habit_features(then, user_P, item, {k: v[then.row_P] for k, v in levels.items()}, self.horizon)
            best = _best(made[HABIT], user_P, tie_N[then.row_P], LEARNT if period else self.most)
            # The rest is let go at once: of a user with a million items it would be gigabytes.
            kept = {name: made[name][best].astype(np.float32) for name in ("trips", *NAMES)}
            parts.append((then.row_P[best], np.full(len(best), period), then.again_P[best] * (period > 0), kept))
        row, period, label = (np.concatenate([part[i] for part in parts]) for i in range(3))
        order = np.lexsort((row, period, user_N[row]))
        columns = {name: np.concatenate([kept[name] for *_, kept in parts])[order] for name in ("trips", *NAMES)}
        pairs = rows.select(["user_id", "item_id"]).take(pa.array(row[order]))
        return pa.table({
            "user_id": pairs.column("user_id"),
            "item_id": pairs.column("item_id"),
            "period": pa.array(period[order], pa.int32()),
            "label": pa.array(label[order], pa.int32()),
            **{name: pa.array(finite(values), pa.float32(), from_pandas=True) for name, values in columns.items()},
        })  # fmt: skip


def habits(histories: DataFrame, facts: DataFrame, catalogue: DataFrame, teaches: Column, kernel: Habits) -> DataFrame:
    """One row a pair and period, as ``Habits`` gives it: user_id, item_id, period, label, trips, ``HABIT`` and, packed
    into ``FEATURES``, ``NAMES``.

    :param histories: as of ``ranking.histories``
    :param facts: as of ``ranking.item_facts``, of as many periods
    :param catalogue: item_id and the levels of the catalogue as numbers, as they are at the as-of date: one row an item
    :param teaches: true for the users that are learnt from
    """
    told = pack(facts.select("item_id", "period", *(F.col(name).cast("float") for name in RHYTHM)), {"told": RHYTHM})
    unknown = F.lit(np.full(len(RHYTHM), np.nan, np.float32).tobytes())
    periods = (F.max(F.when(F.col("period") == n, F.col("told"))) for n in range(kernel.periods))
    items = told.groupBy("item_id").agg(F.concat(*(F.coalesce(one, unknown) for one in periods)).alias("then"))
    rows = (
        histories.join(items, on="item_id", how="left")
        .join(catalogue, on="item_id", how="left")
        .withColumns({"tie": F.xxhash64("user_id", "item_id"), "teaches": teaches})
        # The others, who may be many, are looked at as of today alone: the facts of earlier days need not travel.
        .withColumn("then", F.when(F.col("teaches"), F.col("then")).otherwise(F.substring("then", 1, 4 * len(RHYTHM))))
    )

    def make(rows: pa.Table) -> pa.Table:
        made = kernel(rows)
        return packed(made, {FEATURES: NAMES}).append_column(HABIT, made.column(HABIT))

    schema = f"user_id string, item_id string, period int, label int, trips float, {FEATURES} binary, {HABIT} float"
    return of_whole(rows, "user_id", "tie", make, schema)


class _Facts:
    """Facts of each row's item by period; NaN of a period in which nothing was known of it."""

    def __init__(self, rows: pa.Table) -> None:
        told, ends = numbers(rows.column("then"), np.float32)
        # [periods of one row after another, ``RHYTHM``]
        self.told = told.reshape(-1, len(RHYTHM))
        self.start_N = ends[:-1] // len(RHYTHM)

    def of(self, row_P: Indices, period: int) -> dict[str, Array]:
        told = self.told[self.start_N[row_P] + period].astype(np.float64)
        return dict(zip(RHYTHM, told.T, strict=True))


def _best(score_P: Array, user_P: Indices, tie_P: Indices, most: int) -> Indices:
    """The places of each user's ``most`` highest scores."""
    order = np.lexsort((tie_P, -score_P, user_P))
    users = user_P[order]
    starts = opening(users)
    place = np.arange(len(users)) - np.repeat(starts, np.diff(np.r_[starts, len(users)]))
    return np.sort(order[place < most])
