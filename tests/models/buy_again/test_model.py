"""buy_again by hand."""

import pytest

from shoprec.models.buy_again.config import BuyAgainConfig
from shoprec.models.buy_again.model import propose, scores
from tests.models.purchases import shop

CONFIG = BuyAgainConfig(half_life_visits=1, item_pull=2, gap_prior=1, rate_prior=1, overdue_gaps=2)


def found(inputs, config=CONFIG):
    return {(r["user_id"], r["item_idx"]): r["score"] for r in scores(inputs, config).collect()}


def test_scores_by_hand(spark):
    # u visits 1, 11 and 21 days ago. Item 0: 1 and 21 days ago (twice on one day counts once); item 1: 11 days ago.
    # v visits 5 days ago: item 0.
    lines = [("u", 0, "a", 1), ("u", 0, "a", 21), ("u", 0, "a", 21), ("u", 1, "a", 11), ("v", 0, "a", 5)]
    inputs = shop(spark, lines, {"u": "a", "v": "a"}, 2)
    # The shop: 1 of 3 pairs came back, after 20 days. Item 0: 1 of 2 buyers; item 1: 0 of 1.
    repeat = {0: (1 + 1 * 1 / 3) / (2 + 1), 1: (0 + 1 * 1 / 3) / (1 + 1)}
    item_gap = {0: (20 + 1 * 20) / (1 + 1), 1: (0 + 1 * 20) / (0 + 1)}
    # Visits ago: u's days 1, 11, 21 are 0, 1, 2.
    habit = {("u", 0): 1 + 1 / 4, ("u", 1): 1 / 2, ("v", 0): 1}
    gap = {
        ("u", 0): (20 + item_gap[0]) / (1 + 1),
        ("u", 1): (0 + item_gap[1]) / (0 + 1),
        ("v", 0): (0 + item_gap[0]) / (0 + 1),
    }
    idle = {("u", 0): 1, ("u", 1): 11, ("v", 0): 5}
    expected = {pair: (habit[pair] + 2 * repeat[pair[1]]) / (1 + (idle[pair] / (2 * gap[pair])) ** 2) for pair in habit}
    assert found(inputs) == pytest.approx(expected, rel=1e-8)


def test_absence_of_the_user_does_not_fade_a_habit_but_gives_up_what_is_overdue(spark):
    weekly = [("u", 0, "a", 7 * n) for n in range(1, 5)] + [("u", 1, "a", 7)]
    away = [(u, i, m, ago + 5) for u, i, m, ago in weekly]
    config = BuyAgainConfig(overdue_gaps=1000)
    here, gone = (found(shop(spark, lines, {"u": "a"}, 2), config) for lines in (weekly, away))
    assert gone == pytest.approx(here, rel=1e-3)
    assert here["u", 0] > here["u", 1]
    given_up = found(shop(spark, away, {"u": "a"}, 2), BuyAgainConfig(overdue_gaps=1))
    assert given_up["u", 0] < 0.6 * here["u", 0]


def test_a_shop_without_repeats_has_scores_too(spark):
    inputs = shop(spark, [("u", 0, "a", 1), ("v", 1, "a", 2)], {"u": "a", "v": "a"}, 2)
    assert all(score > 0 for score in found(inputs).values())


def test_it_cannot_propose_what_is_new(spark):
    inputs = shop(spark, [("u", 0, "a", 1)], {"u": "a"}, 1)
    with pytest.raises(ValueError, match="set new to 0"):
        propose(inputs, CONFIG, 1, 1)
