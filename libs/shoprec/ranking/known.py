"""The ranker of items that a user bought before: it learns from what followed several days, one horizon apart.

Within a list only the order of the user's own items counts. So the trees do not have to tell users who buy much from
those who buy little, or a week before a feast from another: while they learn, an intercept for each user and period
stands in for both, fitted beforehand and shrunk to nothing where little was bought (a logistic regression with random
intercepts). What a user can be expected to buy, the calibration puts back by the visits that are to be expected.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.packed import matrix_in
from shoprec.ranking.calibration import calibration_bins, collected, regression
from shoprec.ranking.config import FEATURES, RankingConfig
from shoprec.ranking.crossfit import cell, cross_fitted, out_of_fold
from shoprec.ranking.groups import Array, Indices, codes
from shoprec.ranking.habit_features import NAMES
from shoprec.ranking.learner import ENOUGH, train, training_rows
from shoprec.ranking.lists import families
from shoprec.ranking.offset import Offset, fit_offset
from shoprec.ranking.ranker import Known, Ranker
from shoprec.reuse import on_disk
from shoprec.whole import whole

#: Weight of one row: half of what the best list of the user's purchases is worth at this depth, so that users count
#: alike; users without a purchase keep a tenth.
_DEPTH, _WEIGHT, _IDLE_WEIGHT = 10, 0.5, 0.1

#: Inverse variance of the intercepts.
_RIDGE = 0.5

#: What is known of each scored row: its log-odds, and what spoke for it.
SCORED = "user_id string, item_id string, odds double, families array<string>"


@dataclass(frozen=True)
class FittedKnown:
    """The ranker, None where there is too little to learn from, and user_id, item_id, odds of the rows of period 1, by
    trees that never saw their user nor their item."""

    known: Known | None
    out_of_fold: DataFrame


def fit_known(habits: DataFrame, seed: int, settings: RankingConfig, progress: Callable[[str], None]) -> FittedKnown:
    """Learn from the rows of ``habits`` whose period is 1 or above, unless fewer than ``ENOUGH`` of them were bought.

    For each fold of the users and each of the items, trees are trained on the other folds of both and score the rows
    of period 1; those scores give the calibration.

    :param habits: as of ``ranking.habits``, held: it is read several times
    """
    labelled = habits.where("period > 0")
    bought = labelled.where("label = 1").count()
    if bought < ENOUGH:
        progress(f"{bought:,} purchases of known items are too few for a ranker of their own ({ENOUGH:,}): one for all")
        return FittedKnown(None, habits.select("user_id", "item_id", F.lit(0.0).alias("odds")).limit(0))
    offset = fit_offset(labelled.withColumn("weight", F.lit(1.0)))
    progress(
        f"known items: learns from {settings.windows} periods: from all, and {settings.folds**2} times without a part"
    )

    def learn(some: DataFrame) -> Ranker:
        return Ranker(train(some, NAMES, seed, settings, settings.known), NAMES, offset=offset)

    rows = training_rows(weighed(labelled, offset), seed, settings, settings.known.negative_share)
    with on_disk(rows) as sample:
        *rankers, final = cross_fitted(sample, learn, settings.folds)
    apart_scores = out_of_fold(habits.where("period = 1"), rankers, cell(seed, settings), ("trips",)).withColumn(
        "part", F.round(F.log("trips") / _TRIPS_STEP).cast("int")
    )
    known = Known(final, *_calibration(apart_scores))
    odds = known.slope * F.col("margin") + known.by_trips * F.log("trips") + known.shift
    return FittedKnown(known, apart_scores.select("user_id", "item_id", odds.alias("odds")))


#: Width of a bin of log(trips), by which the calibration is collected: with the bins of margins some thousands at most.
_TRIPS_STEP = 0.25


def _calibration(scored: DataFrame) -> tuple[float, float, float]:
    """Slope, weight of log(trips) and shift: what turns margins into log-odds of a purchase."""
    told = [(part * _TRIPS_STEP, *one) for part, bins in collected(calibration_bins(scored)).items() for one in bins]
    trips, margin, rows, bought = np.asarray(told, dtype=np.float64).T
    (slope, by_trips), shift = regression(np.stack([margin, trips], axis=1), rows, bought)
    return slope, by_trips, shift


def weighed(labelled: DataFrame, offset: Offset) -> DataFrame:
    """``labelled`` with ``importance`` and ``offset``: what a row counts, and the log-odds that trees add to.

    :param labelled: rows as ``ranking.habits`` gives them: those of a user one after another
    """

    def weigh(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for rows in whole(batches, "user_id", 1):
            label = rows.column("label").to_numpy().astype(np.float64)
            _, group = np.unique(np.stack([codes(rows.column("user_id")), rows.column("period").to_numpy()]),
                                 axis=1, return_inverse=True)  # fmt: skip
            weight = importance(label, group)
            margin = offset.margins(matrix_in(rows, FEATURES, len(NAMES)), NAMES).astype(np.float64)
            margin += intercepts(margin, label, weight, group)[group]
            made = rows.append_column("importance", pa.array(weight, pa.float32()))
            yield from made.append_column("offset", pa.array(margin, pa.float32())).to_batches()

    fields = [field.simpleString().replace(":", " ", 1) for field in labelled.schema]
    return labelled.mapInArrow(weigh, ", ".join([*fields, "importance float", "offset float"]))


def importance(label_N: Array, group_N: Indices) -> Array:
    """What each row counts: so much less, the more the group's purchases could earn in a list (NDCG's ideal)."""
    ideal = np.cumsum(1 / np.log2(np.arange(2, _DEPTH + 2)))
    bought = np.bincount(group_N, label_N).astype(np.int64)
    weight = np.where(bought > 0, _WEIGHT / ideal[np.clip(bought, 1, _DEPTH) - 1], _IDLE_WEIGHT)
    return weight[group_N]


def intercepts(margin_N: Array, label_N: Array, weight_N: Array, group_N: Indices) -> Array:
    """The c of each group that makes the labels likeliest, given log-odds margin + c and c normal around 0.

    Newton's steps, of 1 at most, until they are small: the penalised likelihood is concave, one number a group.
    """
    made = np.zeros(group_N.max(initial=-1) + 1)
    for _ in range(30):
        chance = 1 / (1 + np.exp(-(margin_N + made[group_N])))
        slope = np.bincount(group_N, weight_N * (label_N - chance)) - _RIDGE * made
        bend = np.bincount(group_N, weight_N * chance * (1 - chance)) + _RIDGE
        step = np.clip(slope / bend, -1, 1)
        made += step
        if np.abs(step).max(initial=0) < 1e-6:
            break
    return made


def scored(habits: DataFrame, known: Known | None) -> DataFrame:
    """user_id, item_id, odds and families (what spoke for it, strongest first) of the rows of the as-of date.

    No row, where there is no ranker.
    """
    if known is None:
        return habits.select(
            "user_id", "item_id", F.lit(0.0).alias("odds"), F.array(F.lit("")).alias("families")
        ).limit(0)

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            matrix = known.ranker.matrix(batch)
            why = families(known.ranker.contributions(matrix), NAMES)
            yield (
                batch.select(["user_id", "item_id"])
                .append_column("odds", pa.array(known.odds(matrix, batch.column("trips").to_numpy())))
                .append_column("families", pa.array(why, pa.list_(pa.string())))
            )

    return habits.where("period = 0").mapInArrow(score, SCORED)
