"""Trends by hand."""

import math

import pytest

from shoprec.models.trending.config import TrendingConfig
from shoprec.models.trending.model import market_lists
from tests.models.purchases import shop

CONFIG = TrendingConfig(recent_days=7, past_days=28, prior=2, shrink=1.0, length=10)


def lists(inputs, config=CONFIG):
    return {(r["market"], r["item_idx"]): r["score"] for r in market_lists(inputs, config).collect()}


def test_scores_are_rises_in_units_of_their_noise(spark):
    # Item 0: 3 lines now, 4 in the four weeks before (1 a week). Item 1: 1 now, 8 before (2 a week): it falls.
    # Item 2: 1 now in market b alone, none before. Lines older than five weeks do not count.
    lines = (
        [("u", 0, "a", 1)] * 3 + [("u", 0, "a", 20)] * 4 + [("u", 1, "a", 7)] + [("u", 1, "a", 8)] * 8
        + [("w", 2, "b", 3)] + [("u", 2, "a", 36)] * 9
    )  # fmt: skip
    per_line = 2 / 5
    own = {("a", 0): (3, 1), ("a", 1): (1, 2), ("b", 2): (1, 0)}
    whole = {0: (3, 1), 1: (1, 2), 2: (1, 0)}
    expected = {}
    for market in "ab":
        for item, (now, usual) in whole.items():
            own_now, own_usual = own.get((market, item), (0, 0))
            blend_now, blend_usual = own_now + per_line * now, own_usual + per_line * usual
            score = (blend_now - blend_usual) / math.sqrt(blend_usual + 1)
            if score > 0:
                expected[market, item] = score
    assert set(expected) == {("a", 0), ("b", 0), ("a", 2), ("b", 2)}
    assert lists(shop(spark, lines, {"u": "a", "w": "b"}, 3)) == pytest.approx(expected)


def test_the_edges_of_the_windows(spark):
    # Seven days ago is recent, eight is past; 35 is the last past day.
    for ago, rises in ((1, True), (7, True), (8, False), (35, False)):
        found = lists(shop(spark, [("u", 0, "a", 1), ("u", 1, "a", ago)], {"u": "a"}, 2))
        assert (("a", 1) in found) is rises


def test_a_shop_at_rest_has_no_trends(spark):
    assert lists(shop(spark, [("u", 0, "a", 8)], {"u": "a"}, 1)) == {}
