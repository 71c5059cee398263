"""All features of an item on the shop of shop.py, worked out by hand."""

import hashlib
from decimal import Decimal
from math import exp, log

import pytest

from shoprec.audit import audit_rules, broken_rules, conform
from shoprec.contracts.gold import ITEM_FEATURES
from shoprec.features.config import ItemFeatureSettings
from shoprec.features.item_features import FEATURES, item_features
from shoprec.features.lines import known_lines
from shoprec.features.pairs import basket_items, item_pairs
from tests.features import shop

SETTINGS = ItemFeatureSettings(trend_prior=5, repeat_prior=5, season_prior=20, company_prior=5)


@pytest.fixture(scope="module")
def table(spark):
    bought = shop.kept(spark, basket_items(known_lines(shop.events(spark), shop.AS_OF)))
    pairs = shop.kept(spark, item_pairs(bought))
    catalogue, prices, promotions = shop.items(spark), shop.prices(spark), shop.promotions(spark)
    features = item_features(bought, pairs, catalogue, prices, promotions, shop.AS_OF, SETTINGS)
    return shop.kept(spark, features)


@pytest.fixture(scope="module")
def features(table):
    return {row["item_id"]: row for row in table.collect()}


def test_one_row_for_each_item_sold_or_in_the_catalogue_and_the_columns_of_the_contract(table, features):
    assert sorted(features) == ["A", "B", "C", "D", "E", "F"]
    assert tuple(table.columns) == FEATURES
    shaped = conform(table, ITEM_FEATURES, {"as_of": shop.AS_OF, "run_id": "r"})
    assert broken_rules(ITEM_FEATURES, shaped.agg(*audit_rules(ITEM_FEATURES)).first().asDict()) == []


def test_names_and_text(features):
    assert (features["A"]["department"], features["A"]["category"], features["A"]["brand"]) == ("food", "milk", "b1")
    assert features["A"]["text_hash"] == hashlib.sha256(b"food milk").hexdigest()
    assert (features["D"]["category"], features["D"]["text_hash"]) == (None, None)


def test_popularity(features):
    a = features["A"]
    assert [a[f"lines{w}"] for w in ("", "_7d", "_28d", "_91d", "_364d")] == [5, 0, 1, 3, 5]
    assert [a[f"users{w}"] for w in ("", "_7d", "_28d", "_91d", "_364d")] == [2, 0, 1, 1, 2]
    assert a["reach"] == pytest.approx(2 / 3)
    assert a["age_days"] == pytest.approx(152 - 10 / 24)
    assert a["idle_days"] == pytest.approx(19 + 2 / 24)


def test_trend_is_against_the_shop(features):
    # The shop sold 5 of its 10 lines in 28 days: half of A's five are expected, one came.
    assert features["A"]["trend_28d"] == pytest.approx(log((1 + 5) / (2.5 + 5)))
    assert features["E"]["trend_28d"] == pytest.approx(log((1 + 5) / (0.5 + 5)))
    # Nobody bought anything in seven days: no item's trend.
    assert features["A"]["trend_7d"] == 0


def test_prices(features):
    assert (features["A"]["price"], features["A"]["list_price"]) == (Decimal("2.50"), Decimal("2.50"))
    assert features["C"]["price"] is None
    assert features["A"]["price_level"] == 0
    assert features["B"]["price_level"] == pytest.approx(log(4.5 / 6))
    assert features["E"]["price_level"] == pytest.approx(log(9 / 6))
    assert features["B"]["category_share"] == pytest.approx(2 / 3)
    assert features["D"]["category_share"] == 0


def test_discounts(features):
    assert features["A"]["discount_depth"] == pytest.approx(0.5 / 16.5)
    assert features["A"]["discount_frequency"] == pytest.approx(1 / 5)
    assert (features["A"]["coupon_frequency"], features["C"]["coupon_frequency"]) == (0, 1)


def test_promotion_shares_are_of_the_store_days_on_record_before_the_as_of_date(features):
    # s1: 8 January to 26 February, 49 days; s3: 26 February to 1 March, 4 days.
    a, b = features["A"], features["B"]
    assert a["display_share"] == pytest.approx(7 / 53)
    assert a["mailer_share"] == pytest.approx(4 / 53)
    assert a["promotion_share"] == pytest.approx(11 / 53)
    assert b["mailer_share"] == pytest.approx(7 / 53)
    # On 29 February s3 alone is on record.
    assert (a["display_now"], a["mailer_now"], b["mailer_now"]) == (0, 1, 0)


def test_loyalty(features):
    # Two of seven pairs bought again.
    assert features["A"]["repeat_rate"] == pytest.approx((2 + 5 * 2 / 7) / 7)
    assert features["B"]["repeat_rate"] == pytest.approx((5 * 2 / 7) / 7)
    assert features["A"]["repurchase_days"] == pytest.approx((40.5 + 10) / 3)
    assert features["B"]["repurchase_days"] is None
    assert features["A"]["buyer_breadth"] == pytest.approx(exp(-(0.6 * log(0.6) + 0.4 * log(0.4))))
    assert features["B"]["buyer_breadth"] == pytest.approx(2)


def test_season(features):
    # Of the shop's ten lines 3 fell in January, 5 in February, 2 in October; of A's five 2, 1 and 2.
    shop_shares = (0.3, 0.5, 0.2)
    own = [(n + 20 * p) / 25 for n, p in zip((2, 1, 2), shop_shares, strict=True)]
    expected = sum(q * log(q / p) for q, p in zip(own, shop_shares, strict=True))
    assert features["A"]["seasonality"] == pytest.approx(expected)
    # C was sold in February alone, once.
    own = [(n + 20 * p) / 21 for n, p in zip((0, 1, 0), shop_shares, strict=True)]
    expected = sum(q * log(q / p) for q, p in zip(own, shop_shares, strict=True))
    assert features["C"]["seasonality"] == pytest.approx(expected)
    # The shop has not seen a March yet.
    assert features["A"]["season_now"] == 0


def test_company(features):
    # Others in A's five baskets: 1, 0, 1, 0, 0; with an average line lies one other item.
    assert features["A"]["basket_items"] == pytest.approx(0.4)
    assert features["A"]["co_purchase"] == pytest.approx(log((2 + 5) / (5 + 5)))
    assert features["E"]["basket_items"] == pytest.approx(2)
    assert features["E"]["co_purchase"] == pytest.approx(log((2 + 5) / (1 + 5)))


def test_an_item_never_sold(features):
    f = features["F"]
    assert (f["lines"], f["users"], f["reach"], f["trend_28d"], f["discount_depth"], f["buyer_breadth"]) == (0,) * 6
    assert (f["age_days"], f["idle_days"], f["price"], f["repurchase_days"]) == (None,) * 4
    assert f["repeat_rate"] == pytest.approx(2 / 7)
