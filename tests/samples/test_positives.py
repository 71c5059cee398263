"""Weights of training pairs, worked out by hand."""

from datetime import date

import pytest
from pydantic import ValidationError

from shoprec.audit import audit_rules, broken_rules, conform
from shoprec.contracts.gold import SAMPLES
from shoprec.contracts.silver import INTERACTIONS
from shoprec.samples.config import SampleSettings
from shoprec.samples.positives import LEAST_WEIGHT, positives
from tests.features import shop

AS_OF = date(2024, 3, 1)

EVENTS = [
    shop.event("u1", "A", "2024-02-20", basket_id="1"),  # 10 days
    shop.event("u1", "A", "2024-02-10", basket_id="2"),  # 20 days
    shop.event("u1", "A", "2024-02-25", type="view"),  # 5 days
    shop.event("u1", "A", "2024-02-28", type="return", quantity="-1", amount="-1.00"),
    shop.event("u2", "A", "2024-02-28", type="return", quantity="-1", amount="-1.00"),
    shop.event("u2", "B", "2014-03-01"),  # ten years
    shop.event("u2", "coupon:7", "2024-02-20", type="coupon_redemption"),
    shop.event("u1", "B", "2024-03-01", basket_id="3"),  # not yet
    shop.event("u9", "A", "2024-02-20"),  # no user of the index
    shop.event("u1", "Z", "2024-02-20"),  # no item of the index
]


def made(spark, **settings):
    users = spark.createDataFrame([("u1", 0, "us"), ("u2", 1, "us")], "user_id string, user_idx int, market string")
    items = spark.createDataFrame([("A", 0), ("B", 1)], "item_id string, item_idx int")
    return positives(shop.frame(spark, INTERACTIONS, EVENTS), users, items, AS_OF, SampleSettings(**settings))


def test_weights_by_type_and_age(spark):
    table = made(spark, half_life_days=10, weight_purchase=1, weight_view=0.2)
    rows = {(r["user_idx"], r["item_idx"]): r for r in table.collect()}
    assert sorted(rows) == [(0, 0), (1, 1)]
    one, old = rows[0, 0], rows[1, 1]
    assert one["weight"] == pytest.approx(0.5 + 0.25 + 0.2 * 0.5**0.5)
    assert (one["interactions"], one["age_days"], one["label"], one["importance"]) == (3, 5, 1, 1)
    # 365 half-lives: too small for single precision, and still not nothing.
    assert old["weight"] == LEAST_WEIGHT
    shaped = conform(table, SAMPLES, {"as_of": AS_OF, "run_id": "r", "origin": "observed"})
    assert broken_rules(SAMPLES, shaped.agg(*audit_rules(SAMPLES)).first().asDict()) == []


def test_a_window_and_a_type_without_weight_leave_events_out(spark):
    rows = made(spark, half_life_days=10, weight_view=0, window_days=15).collect()
    assert [(r["user_idx"], r["item_idx"], r["interactions"]) for r in rows] == [(0, 0, 1)]
    assert rows[0]["weight"] == pytest.approx(0.5)


def test_no_weight_at_all_is_refused():
    types = ("purchase", "cart", "rating", "search_click", "view")
    with pytest.raises(ValidationError, match="no samples"):
        SampleSettings(**{f"weight_{name}": 0 for name in types})
