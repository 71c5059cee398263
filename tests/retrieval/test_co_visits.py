"""Pairs of histories against sums written out."""

import math
from collections import defaultdict

import numpy as np
import pytest

from shoprec.retrieval import co_visits as module
from shoprec.retrieval.co_visits import CoVisitSettings, co_visits

SCHEMA = "holder string, item_idx int, at long, age_days double"


def written_out(histories, settings, popular):
    """{(item, neighbour): (similarity, support)} of histories [(item, at, age)], the earliest first."""
    weight, support = defaultdict(float), defaultdict(int)
    for visits in histories.values():
        for p, (one, at, _) in enumerate(visits):
            for q in range(p + 1, min(p + settings.gap, len(visits) - 1) + 1):
                other, after, age = visits[q]
                if one == other:
                    continue
                pair = (
                    settings.gap_decay ** (q - p - 1)
                    / math.log(2 + len(visits))
                    * 0.5 ** (age / settings.half_life_days)
                )
                mean = (1 + settings.backward) / 2
                weight[one, other] += pair * (mean if at == after else 1)
                weight[other, one] += pair * (mean if at == after else settings.backward)
                support[one, other] += 1
                support[other, one] += 1
    return {
        pair: (total / popular[pair[1]] ** settings.popularity, support[pair])
        for pair, total in weight.items()
        if total
    }


@pytest.mark.parametrize(
    "settings",
    [
        CoVisitSettings(gap=3, neighbours=1000),
        CoVisitSettings(gap=40, gap_decay=0.5, backward=0.0, half_life_days=10, popularity=1.0, neighbours=1000),
    ],
)
def test_equal_to_the_sums_written_out(spark, settings, monkeypatch):
    monkeypatch.setattr(module, "PIECE_VISITS", 50)
    draw, histories = np.random.default_rng(1), {}
    for user in range(30):
        items = draw.integers(0, 12, draw.integers(1, 25)).tolist()
        histories[f"u{user}"] = [(item, 10 * place, float(40 - place)) for place, item in enumerate(items)]
    rows = [(user, *visit) for user, visits in histories.items() for visit in visits]
    popular = defaultdict(int)
    for _, item, _, _ in rows:
        popular[item] += 1
    visits = spark.createDataFrame(rows, SCHEMA).repartition(3, "item_idx")
    found = {
        (r["item_idx"], r["neighbour_idx"]): (r["similarity"], r["support"])
        for r in co_visits(visits, settings).collect()
    }
    expected = written_out(histories, settings, popular)
    assert found.keys() == expected.keys()
    for pair, (similarity, support) in expected.items():
        assert found[pair] == (pytest.approx(similarity, rel=1e-4), support)


def test_by_hand(spark):
    # a then b then c; b and c at one moment.
    rows = [("u", 0, 1, 0.0), ("u", 1, 2, 0.0), ("u", 2, 2, 0.0)]
    settings = CoVisitSettings(gap=1, backward=0.5, popularity=0.0)
    found = {(r[0], r[1]): r[2] for r in co_visits(spark.createDataFrame(rows, SCHEMA), settings).collect()}
    (near,) = {pair for pair in found if 0 in pair and pair[0] == 0}
    first = near[1]
    one = 1 / math.log(5)
    assert found == {
        (0, first): pytest.approx(one, rel=1e-5), (first, 0): pytest.approx(one / 2, rel=1e-5),
        (1, 2): pytest.approx(0.75 * one, rel=1e-5), (2, 1): pytest.approx(0.75 * one, rel=1e-5),
    }  # fmt: skip


def test_only_the_latest_visits_and_the_best_neighbours_count(spark):
    rows = [("u", item, item, 0.0) for item in range(6)] + [("v", 5, 1, 0.0), ("v", 4, 2, 0.0)]
    settings = CoVisitSettings(gap=5, max_items=3, neighbours=1, popularity=0.0)
    found = {
        (r["item_idx"], r["neighbour_idx"]) for r in co_visits(spark.createDataFrame(rows, SCHEMA), settings).collect()
    }
    # Of u 3, 4, 5 are left; v goes back from 5 to 4, so each of these is the other's.
    assert found == {(3, 4), (4, 5), (5, 4)}


def test_nobody_met_two_items(spark):
    rows = [("u", 1, 1, 0.0), ("v", 1, 1, 0.0), ("v", 1, 2, 0.0)]
    assert co_visits(spark.createDataFrame(rows, SCHEMA), CoVisitSettings()).count() == 0
