"""Fitting the rankers and their figures: cross-fitted for the gate and the calibration, then on everybody."""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.ranking.calibration import calibration, calibration_bins, collected
from shoprec.ranking.config import RankingConfig
from shoprec.ranking.crossfit import ndcg, out_of_fold
from shoprec.ranking.features import bought_within, feature_names, labelled
from shoprec.ranking.learner import folds, train, training_rows
from shoprec.ranking.offset import fit_offset
from shoprec.ranking.ranker import Ranker, Rankers

#: Depth of the gate's figure.
GATE_DEPTH = 10

#: Purchases of known and of new items from which on each get trees of their own: a quarter is left when the users and
#: items of a fold are out, and fewer would teach less than what both have in common.
ENOUGH = 1000


@dataclass(frozen=True)
class Fitted:
    """The rankers for today's candidates, the gate's figures, and what is worth keeping beside the models."""

    rankers: Rankers
    gate: dict[str, Any]
    facts: dict[str, Any]


def fit(
    features: DataFrame,
    interactions: DataFrame,
    users: DataFrame,
    start: date,
    horizon: int,
    seed: int,
    settings: RankingConfig,
    progress: Callable[[str], None],
) -> Fitted:
    """Learn from ``features`` of ``start`` and what users bought in the ``horizon`` days from it.

    For each fold of the users and each of the items, trees are trained on the other folds of both and score this one:
    those scores give the gate's NDCG and the calibration. The rankers themselves learn from all.

    :param interactions: silver.interactions, known at ``start`` + ``horizon``
    :param users: user_id of the users that ``features`` are of; those without a purchase in the horizon are not judged
    :raises ContractBroken: nothing to learn from
    """
    names = feature_names(settings.sources)
    # Everything below goes over these rows several times; on disk, so that they take no heap from training.
    rows = labelled(features, interactions, start, horizon).persist(StorageLevel.DISK_ONLY)
    sample = training_rows(rows, names, seed, settings).persist(StorageLevel.DISK_ONLY)
    try:
        parts = _parts(sample)
        rankers = _cross_fitted(sample, parts, names, seed, settings, progress)
        scored = _scored(rows, rankers, parts, seed, settings).persist(StorageLevel.DISK_ONLY)
        calibrations = _calibrations(scored, len(parts))
        bought = bought_within(interactions, start, horizon).join(
            users.select("user_id"), on="user_id", how="left_semi"
        )
        figures = ndcg(_calibrated(scored, calibrations), bought, settings.sources, GATE_DEPTH).first().asDict()
        scored.unpersist()
        progress("learns from all")
        learnt = _learnt([sample], parts, names, seed, settings)
        pairs = zip(learnt, calibrations, strict=True)
        final = [replace(one, slope=slope, shift=shift) for one, (slope, shift) in pairs]
    finally:
        sample.unpersist()
        rows.unpersist()
    gate = _gate(figures)
    alone = ", ".join(f"{source} {figure:.4f}" for source, figure in gate["sources"].items())
    progress(f"ndcg@{GATE_DEPTH} {gate[f'ndcg@{GATE_DEPTH}']:.4f} out of fold; sources alone: {alone}")
    facts = {
        "gate": gate,
        "settings": settings.model_dump(),
        "seed": seed,
        "learnt_from": str(start),
        "horizon": horizon,
    }
    return Fitted(Rankers(final[0], final[-1]), gate, facts)


def _parts(sample: DataFrame) -> tuple[Column, ...]:
    """The conditions of the rows that learn apart: known and new items, or all where one of them has too few."""
    known = F.col("pair_days") > 0
    counts = sample.groupBy(known.alias("known")).agg(F.sum("label").alias("bought")).collect()
    bought = {row["known"]: row["bought"] for row in counts}
    apart = all(bought.get(one, 0) >= ENOUGH for one in (True, False))
    return (known, ~known) if apart else (F.lit(True),)


def _cross_fitted(
    sample: DataFrame,
    parts: Sequence[Column],
    names: tuple[str, ...],
    seed: int,
    settings: RankingConfig,
    progress: Callable[[str], None],
) -> list[Ranker]:
    """The rankers of every cell of users and items, who learnt without both: number = cell · parts + part."""
    cells = list(itertools.product(range(settings.folds), repeat=2))
    progress(f"learns {len(cells) * len(parts)} times, each without the users of one fold and the items of one")
    others = [sample.where((F.col("user_fold") != user) & (F.col("item_fold") != item)) for user, item in cells]
    return _learnt(others, parts, names, seed, settings)


def _learnt(
    samples: Sequence[DataFrame], parts: Sequence[Column], names: tuple[str, ...], seed: int, settings: RankingConfig
) -> list[Ranker]:
    """The ranker of each part of each sample, two at a time: one alone leaves cores idle while it waits for the driver.

    Where known items learn apart, their trees add to the offset of habit.
    """

    def learn(task: tuple[DataFrame, int]) -> Ranker:
        sample, part = task
        rows = sample.where(parts[part])
        offset = fit_offset(rows) if len(parts) > 1 and part == 0 else None
        return Ranker(train(rows, names, seed, settings, offset), names, offset=offset)

    with ThreadPoolExecutor(2, thread_name_prefix="trees") as pool:
        return list(pool.map(learn, itertools.product(samples, range(len(parts)))))


def _scored(
    rows: DataFrame, rankers: Sequence[Ranker], parts: Sequence[Column], seed: int, settings: RankingConfig
) -> DataFrame:
    """Every row as of ``out_of_fold``, with ``part``: the place of its condition among ``parts``."""
    apart = folds(seed, settings)
    cell = apart["user_fold"] * settings.folds + apart["item_fold"]
    part = F.when(parts[0], 0).otherwise(1)
    scored = out_of_fold(rows, rankers, cell * len(parts) + part, settings.sources)
    return scored.withColumn("part", F.col("number") % len(parts))


def _calibrations(scored: DataFrame, parts: int) -> list[tuple[float, float]]:
    """Slope and shift of each part, from scores out of fold."""
    bins = collected(calibration_bins(scored))
    return [calibration(bins[part]) for part in range(parts)]


def _calibrated(scored: DataFrame, calibrations: Sequence[tuple[float, float]]) -> DataFrame:
    """``scored`` with the margins of all parts on one scale."""
    slope, shift = (F.array(*(F.lit(one[i]) for one in calibrations)) for i in range(2))
    place = F.col("part") + 1
    return scored.withColumn("margin", F.col("margin") * F.element_at(slope, place) + F.element_at(shift, place))


def _gate(figures: dict[str, float]) -> dict[str, Any]:
    rounded = {name: round(value or 0.0, 6) for name, value in figures.items() if name not in ("fused", "users")}
    return {f"ndcg@{GATE_DEPTH}": round(figures["fused"] or 0.0, 6), "sources": rounded, "users": figures["users"]}
