"""The whole profile on the shop of shop.py, worked out by hand."""

from decimal import Decimal
from math import log, sqrt

import pytest

from shoprec.audit import audit_rules, broken_rules, conform
from shoprec.contracts.gold import USER_PROFILES
from shoprec.features.activity import baskets
from shoprec.features.config import ProfileSettings
from shoprec.features.exposure import exposed
from shoprec.features.lines import known_lines
from shoprec.features.pairs import seen_basket_items, user_pairs
from shoprec.features.user_profiles import PROFILE, user_profiles
from tests.features import shop

SETTINGS = ProfileSettings(
    taste_prior=10, price_prior=10, response_prior=5, gap_prior=2, new_days=28, lapsing_after=2, lapsed_after=4
)


def make(spark, settings=SETTINGS):
    lines = shop.kept(spark, known_lines(shop.events(spark), shop.AS_OF))
    seen = seen_basket_items(exposed(lines, shop.promotions(spark), shop.AS_OF))
    pairs = shop.kept(spark, user_pairs(seen, shop.items(spark), settings.half_life_days))
    return user_profiles(lines, shop.kept(spark, baskets(lines)), pairs, shop.users(spark), "Asia/Tokyo", settings)


@pytest.fixture(scope="module")
def table(spark):
    return shop.kept(spark, make(spark))


@pytest.fixture(scope="module")
def profiles(table):
    return {row["user_id"]: row for row in table.collect()}


def test_one_row_for_each_buyer_and_the_columns_of_the_contract(table, profiles):
    assert sorted(profiles) == ["u1", "u2", "u4"]
    assert tuple(table.columns) == PROFILE
    shaped = conform(table, USER_PROFILES, {"as_of": shop.AS_OF, "run_id": "r"})
    assert broken_rules(USER_PROFILES, shaped.agg(*audit_rules(USER_PROFILES)).first().asDict()) == []


def test_activity(profiles):
    one = profiles["u1"]
    assert one["recency_days"] == pytest.approx(19 + 2 / 24)
    assert one["tenure_days"] == pytest.approx(60 - 10 / 24)
    assert (one["baskets"], one["baskets_28d"], one["baskets_91d"]) == (3, 1, 3)
    assert (one["lines"], one["items"]) == (5, 3)
    assert one["frequency"] == pytest.approx(3 * 28 / (60 - 10 / 24))
    assert one["basket_lines"] == pytest.approx(5 / 3)


def test_returns_subtract_from_money_and_units_alone(profiles):
    one = profiles["u1"]
    assert (one["spend"], one["spend_28d"], one["spend_91d"]) == (Decimal("14.00"), Decimal("5.00"), Decimal("14.00"))
    assert one["basket_spend"] == pytest.approx(14 / 3)
    assert one["basket_units"] == pytest.approx(5 / 3)
    assert one["return_rate"] == pytest.approx(1 / 5)


def test_gaps_and_repeats(profiles):
    one = profiles["u1"]
    assert one["gap_days"] == pytest.approx(20)
    assert one["gap_spread_days"] == pytest.approx(sqrt(200))
    assert one["repeat_rate"] == pytest.approx(2 / 5)
    assert (profiles["u2"]["gap_days"], profiles["u2"]["gap_spread_days"]) == (None, None)
    assert (profiles["u4"]["gap_days"], profiles["u4"]["gap_spread_days"]) == (10, None)


def test_a_user_without_baskets_has_one_a_day_and_market(profiles):
    assert profiles["u4"]["baskets"] == 2


def test_stage_by_own_rhythm(profiles):
    usual = (40 + 10) / 3
    one, two, four = (profiles[u] for u in ("u1", "u2", "u4"))
    assert one["rhythm"] == pytest.approx((19 + 2 / 24) / ((40 + 2 * usual) / 4))
    assert two["rhythm"] == pytest.approx(9.5 / usual)
    assert four["rhythm"] == pytest.approx((142 - 10 / 24) / ((10 + 2 * usual) / 3))
    assert (one["stage"], two["stage"], four["stage"]) == ("active", "new", "lapsed")


def test_hours_and_weekdays(profiles):
    one = profiles["u1"]
    # By the shop's clock, nine hours ahead of the lake's: 19 h twice, and Saturday 22 h is Sunday 7 h.
    assert one["hour_shares"] == pytest.approx([2 / 3 if h == 19 else 1 / 3 if h == 7 else 0 for h in range(24)])
    assert one["weekday_shares"] == pytest.approx([1 / 3, 0, 0, 1 / 3, 0, 0, 1 / 3])
    assert one["weekend_share"] == pytest.approx(1 / 3)
    # Two baskets at 10 h and one twelve hours away: what is left of three vectors is one, at 19 h.
    assert one["usual_hour"] == pytest.approx(19)
    assert one["hour_focus"] == pytest.approx(1 / 3)


def test_places(profiles):
    one, four = profiles["u1"], profiles["u4"]
    assert (one["market"], one["market_share"], one["markets"], one["store_id"]) == ("us", 1.0, 1, "s1")
    assert (four["market"], four["market_share"], four["markets"], four["store_id"]) == ("de", 0.5, 2, None)


def test_price_level_against_the_median_of_the_category(profiles):
    # Medians: milk {2 x3, 4 x2} 2, bread {3, 6, 9} 6, soap {5} 5.
    assert profiles["u1"]["price_level"] == pytest.approx(log(3 / 6) / (5 + 10))
    assert profiles["u2"]["price_level"] == pytest.approx(log(9 / 6) / (2 + 10))
    assert profiles["u4"]["price_level"] == pytest.approx(2 * log(4 / 2) / (2 + 10))


def test_discounts_and_coupons(profiles):
    one, two, four = (profiles[u] for u in ("u1", "u2", "u4"))
    assert one["discount_depth"] == pytest.approx(1.5 / 17.5)
    assert (one["offer_share"], one["coupon_share"]) == (pytest.approx(1 / 5), pytest.approx(1 / 5))
    # One of the five lines of milk was on offer: of u1's three, 0.6 are expected, of u4's two, 0.4.
    assert one["offer_response"] == pytest.approx(log(6 / 5.6))
    assert four["offer_response"] == pytest.approx(log(5 / 5.4))
    assert two["offer_response"] == 0
    # The only soap sold was sold with a coupon: no response, chance.
    assert one["coupon_response"] == pytest.approx(0)


def test_display_and_mailer_are_known_only_where_on_record(profiles):
    one, two, four = (profiles[u] for u in ("u1", "u2", "u4"))
    # u1: 1 January is before the record of s1, s2 has none; left is 11 January, on display.
    assert (one["display_share"], one["mailer_share"]) == (1.0, 0.0)
    assert (two["display_share"], two["mailer_share"]) == (0.0, pytest.approx(1 / 3))
    assert (four["display_share"], four["mailer_share"]) == (None, None)
    # u2's bread: one of two lines in the mailer, and that is the category's rate.
    assert two["mailer_response"] == pytest.approx(0)


def test_tastes_name_what_tells_a_user_apart(profiles):
    two = profiles["u2"]
    assert two["categories"][0]["name"] == "bread"
    assert two["categories"][0]["affinity"] > 0
    assert two["categories"][0]["share"] == pytest.approx(1)
    assert (two["category_breadth"], two["department_breadth"]) == (pytest.approx(1), pytest.approx(1))
    assert {t["name"] for t in profiles["u1"]["departments"]} == {"food", "home"}
    assert profiles["u1"]["taste_distance"] > 0


def test_tastes_against_an_independent_implementation(profiles):
    half_life, prior = SETTINGS.half_life_days, SETTINGS.taste_prior
    names = {row["item_id"]: row["category"] for row in shop.CATALOGUE}
    weights = {}
    for row in shop.EVENTS:
        age = (shop.at("2024-03-01") - row["event_at"]).total_seconds() / 86400
        if row["type"] == "purchase" and age > 0 and row["item_id"] in names:
            key = row["user_id"], names[row["item_id"]]
            weights[key] = weights.get(key, 0) + 0.5 ** (age / half_life)
    everything = sum(weights.values())
    for user, profile in profiles.items():
        own = sum(w for (u, _), w in weights.items() if u == user)
        for taste in profile["categories"]:
            p = sum(w for (_, c), w in weights.items() if c == taste["name"]) / everything
            w = weights[user, taste["name"]]
            assert taste["affinity"] == pytest.approx(log((w + prior * p) / (own + prior) / p))
            assert taste["share"] == pytest.approx(w / own)


def test_demographics_where_known(profiles):
    assert (profiles["u1"]["age_band"], profiles["u1"]["children"]) == ("45-54", "2")
    assert (profiles["u2"]["age_band"], profiles["u2"]["children"]) == (None, None)
