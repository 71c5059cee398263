"""Fitting the ranker of new items and the figures of both: cross-fitted, then on everybody."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.ranking.calibration import calibration, calibration_bins, collected
from shoprec.ranking.config import ODDS, RankingConfig
from shoprec.ranking.crossfit import cell, cross_fitted, ndcg, out_of_fold
from shoprec.ranking.features import feature_names, labelled
from shoprec.ranking.learner import ENOUGH, train, training_rows
from shoprec.ranking.ranker import Known, Ranker, Rankers
from shoprec.reuse import on_disk

#: Depth of the gate's figure.
GATE_DEPTH = 10


@dataclass(frozen=True)
class Fitted:
    """The rankers for today's candidates, and the gate's figures."""

    rankers: Rankers
    gate: dict[str, Any]


def fit(
    features: DataFrame,
    bought: DataFrame,
    seed: int,
    settings: RankingConfig,
    known: Known | None,
    progress: Callable[[str], None],
) -> Fitted:
    """Learn from ``features`` of one horizon before the as-of date and what users bought since.

    For each fold of the users and each of the items, trees are trained on the other folds of both and score this one:
    those scores give the gate's NDCG and the calibration. The ranker itself learns from all.

    :param features: as of ``ranking.features``, with the odds, out of fold, that the ranker of known items gives
    :param bought: user_id, item_id of what the users of ``features`` bought since: each pair once; users
        that it lacks are not judged
    :param known: the ranker of known items, so that this one is for the others; None: it is for all
    :raises ContractBroken: nothing to learn from
    """
    names = feature_names(settings.sources)
    mine = F.lit(True) if known is None else F.col("pair_days") == 0
    ranks = [f"rank_{source}" for source in settings.sources]

    def learn(some: DataFrame) -> Ranker:
        return Ranker(train(some, names, seed, settings, settings.new), names)

    with contextlib.ExitStack() as stack:
        rows = stack.enter_context(on_disk(labelled(features, bought)))
        few = known is not None and rows.where(mine & (F.col("label") == 1)).limit(ENOUGH).count() < ENOUGH
        taught = rows if few else rows.where(mine)
        sample = stack.enter_context(on_disk(training_rows(taught, seed, settings, settings.new.negative_share)))
        what = "all" if known is None else "new"
        progress(f"{what} items: learns from all, and {settings.folds**2} times without a part")
        *rankers, final = cross_fitted(sample, learn, settings.folds)
        unseen = out_of_fold(taught, rankers, cell(seed, settings), ("pair_days", *ranks))
        scored = stack.enter_context(on_disk(unseen))
        slope, shift = calibration(collected(calibration_bins(scored.withColumn("part", F.lit(0))))[0])
        own = scored.where(mine).withColumn("margin", slope * F.col("margin") + shift)
        if known is not None:
            own = own.withColumn("margin", _weighed(F.col("margin"), settings.new_weight))
        # What the ranker of known items did not look at comes last, as it does in the lists.
        others = rows.where(~mine).withColumn("margin", F.coalesce(ODDS, F.lit(-30.0)))
        columns = ("user_id", "item_id", "label", "margin", *ranks)
        told = own.select(*columns).unionByName(others.select(*columns))
        figures = ndcg(told, bought, settings.sources, GATE_DEPTH).first().asDict()
    gate = _gate(figures)
    alone = ", ".join(f"{source} {figure:.4f}" for source, figure in gate["sources"].items())
    progress(f"ndcg@{GATE_DEPTH} {gate[f'ndcg@{GATE_DEPTH}']:.4f} out of fold; sources alone: {alone}")
    return Fitted(Rankers(known, replace(final, slope=slope, shift=shift)), gate)


def _weighed(odds: Column, weight: float) -> Column:
    """Log-odds of ``weight`` times the probability, which lists are made by; held between about -30 and 30."""
    chance = F.least(F.greatest(weight / (1 + F.exp(-odds)), F.lit(1e-13)), F.lit(1 - 1e-13))
    return F.log(chance / (1 - chance))


def _gate(figures: dict[str, float]) -> dict[str, Any]:
    rounded = {name: round(value or 0.0, 6) for name, value in figures.items() if name not in ("fused", "users")}
    return {f"ndcg@{GATE_DEPTH}": round(figures["fused"] or 0.0, 6), "sources": rounded, "users": figures["users"]}
