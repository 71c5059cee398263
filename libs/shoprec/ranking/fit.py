"""Fitting the ranker and its figures: cross-fitted for the gate and the calibration, then on everybody."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.ranking.calibration import calibrated, calibration_bins
from shoprec.ranking.config import RankingConfig
from shoprec.ranking.crossfit import ndcg, out_of_fold
from shoprec.ranking.features import bought_within, feature_names, labelled
from shoprec.ranking.learner import folds, train, training_rows
from shoprec.ranking.ranker import Ranker

#: Depth of the gate's figure.
GATE_DEPTH = 10


@dataclass(frozen=True)
class Fitted:
    """The ranker for today's candidates, the gate's figures, and what is worth keeping beside the model."""

    ranker: Ranker
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

    For each part of the users and each of the items, trees are trained on the other parts of both and score this one:
    those scores give the gate's NDCG and the calibration. The ranker itself learns from all.

    :param interactions: silver.interactions, known at ``start`` + ``horizon``
    :param users: user_id of the users that ``features`` are of; those without a purchase in the horizon are not judged
    :raises ContractBroken: nothing to learn from
    """
    names, apart = feature_names(settings.sources), folds(seed, settings)
    cells = [(user, item) for user in range(settings.folds) for item in range(settings.folds)]
    # Everything below goes over these rows several times; on disk, so that they take no heap from training.
    rows = labelled(features, interactions, start, horizon).persist(StorageLevel.DISK_ONLY)
    sample = training_rows(rows, names, seed, settings).persist(StorageLevel.DISK_ONLY)
    try:
        rankers = []
        for number, (user, item) in enumerate(cells):
            progress(f"learns without the users and items of part {number + 1} of {len(cells)}")
            others = sample.where((F.col("user_fold") != user) & (F.col("item_fold") != item))
            rankers.append(Ranker(train(others, names, seed, settings), names))
        cell = apart["user_fold"] * settings.folds + apart["item_fold"]
        scored = out_of_fold(rows, rankers, cell, settings.sources).persist(StorageLevel.DISK_ONLY)
        bins = [tuple(row) for row in calibration_bins(scored).select("margin", "rows", "bought").collect()]
        bought = bought_within(interactions, start, horizon).join(
            users.select("user_id"), on="user_id", how="left_semi"
        )
        figures = ndcg(scored, bought, settings.sources, GATE_DEPTH).first().asDict()
        scored.unpersist()
        progress("learns from all")
        ranker = calibrated(train(sample, names, seed, settings), names, sorted(bins))
    finally:
        sample.unpersist()
        rows.unpersist()
    gate = _gate(figures)
    progress(f"ndcg@{GATE_DEPTH} {gate[f'ndcg@{GATE_DEPTH}']:.4f} out of fold; sources {gate['sources']}")
    facts = {
        "gate": gate,
        "settings": settings.model_dump(),
        "seed": seed,
        "learnt_from": str(start),
        "horizon": horizon,
    }
    return Fitted(ranker, gate, facts)


def _gate(figures: dict[str, float]) -> dict[str, Any]:
    rounded = {name: round(value or 0.0, 6) for name, value in figures.items() if name not in ("fused", "users")}
    return {f"ndcg@{GATE_DEPTH}": round(figures["fused"] or 0.0, 6), "sources": rounded, "users": figures["users"]}
