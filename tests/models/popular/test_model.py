"""Popularity by hand: half-lives, the prior, markets without purchases."""

import dataclasses

import pytest

from shoprec.models.popular.config import PopularConfig
from shoprec.models.popular.model import market_lists, propose
from tests.models.purchases import shop

CONFIG = PopularConfig(half_life_days=10, prior=4, length=10)

# Market a: item 0 twice today's weight 1, item 1 once at half weight. Market b: item 2 once at weight 1.
LINES = [("u", 0, "a", 0), ("v", 0, "a", 0), ("u", 1, "a", 10), ("w", 2, "b", 0)]
HOMES = {"u": "a", "w": "b", "new": "c"}


def lists(inputs, config):
    return {(r["market"], r["item_idx"]): r["score"] for r in market_lists(inputs, config).collect()}


def test_scores_are_decayed_shares_with_a_prior(spark):
    # The whole shop: 2, 0.5 and 1 of 3.5. Market a holds 2.5 of its own, b holds 1, c nothing.
    share = {0: 2 / 3.5, 1: 0.5 / 3.5, 2: 1 / 3.5}
    own = {"a": {0: 2, 1: 0.5}, "b": {2: 1}, "c": {}}
    expected = {
        (market, item): (counts.get(item, 0) + 4 * share[item]) / (sum(counts.values()) + 4)
        for market, counts in own.items()
        for item in share
    }
    assert lists(shop(spark, LINES, HOMES, 3), CONFIG) == pytest.approx(expected, rel=1e-8)


def test_markets_that_are_nobodys_home_get_no_list_but_count_for_the_whole_shop(spark):
    found = lists(shop(spark, LINES, {"u": "a"}, 3), CONFIG)
    assert {market for market, _ in found} == {"a"}
    assert found["a", 2] == pytest.approx((0 + 4 * 1 / 3.5) / 6.5, rel=1e-8)


def test_what_is_not_offered_takes_no_place(spark):
    inputs = shop(spark, LINES, HOMES, 3)
    inputs = dataclasses.replace(inputs, offered=inputs.offered.where("item_idx <> 0"))
    # By the whole shop's share item 0 alone would be considered for market c.
    found = lists(inputs, PopularConfig(half_life_days=10, prior=4, length=1))
    assert set(found) == {("a", 2), ("b", 2), ("c", 2)}


def test_a_list_has_its_length_and_a_user_their_share(spark):
    inputs = shop(spark, LINES, HOMES, 3)
    assert len(lists(inputs, PopularConfig(length=1))) == 3
    found = {(r["user_id"], r["item_idx"]) for r in propose(inputs, CONFIG, 1, 1).collect()}
    # u bought 0 and 1: the best bought is 0, the only new one 2. The newcomer gets the whole shop's best.
    assert found == {("u", 2), ("u", 0), ("w", 0), ("w", 2), ("new", 0)}
