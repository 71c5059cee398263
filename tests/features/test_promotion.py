"""Exposure to promotions and the response to them."""

from datetime import date, timedelta
from math import log

import pytest
from pyspark.sql import functions as F

from shoprec.contracts.silver import INTERACTIONS, PROMOTIONS
from shoprec.features.exposure import exposed
from shoprec.features.lines import known_lines
from shoprec.features.promotion import item_promotions, responses
from tests.features import shop

AS_OF = date(2024, 3, 1)

PAIR = "user_id string, category string, cents long, discount_cents long, coupon_cents long, " + ", ".join(
    f"{name} long"
    for name in (
        "offers",
        "offers_known",
        "coupons",
        "coupons_known",
        "displays",
        "mailers",
        "shelves",
    )
)


def seen(spark, events, promotions):
    lines = known_lines(shop.frame(spark, INTERACTIONS, events), AS_OF)
    rows = exposed(lines, shop.frame(spark, PROMOTIONS, promotions), AS_OF)
    # As Spark writes it: in UTC wherever the test runs.
    rows = rows.withColumn("at", F.col("event_at").cast("string")).collect()
    return sorted((r["item_id"], r["at"], r["on_display"], r["in_mailer"]) for r in rows)


def bought(item, when):
    return shop.event("u", item, when, basket_id="b", store_id="s")


def test_from_the_first_moment_to_before_the_last(spark):
    shelf = [shop.promotion("A", "s", "2024-01-03 12:00", "2024-01-10 12:00", display="1", mailer="A")]
    always = [shop.promotion("Z", "s", "2024-01-01", "2024-02-01", display="1")]
    times = ["2024-01-03 11:59:59", "2024-01-03 12:00:00", "2024-01-10 11:59:59", "2024-01-10 12:00:00"]
    found = seen(spark, [bought("A", t) for t in times], shelf + always)
    assert [(display, mailer) for _, _, display, mailer in found] == [
        (False,) * 2,
        (True,) * 2,
        (True,) * 2,
        (False,) * 2,
    ]


def test_a_line_is_found_by_itself_in_the_week_in_which_a_promotion_begins_and_in_the_one_after(spark):
    """Weeks are counted from a Thursday; whether another line lies beside the one looked at must not matter."""
    times = {"A": "2024-01-03 12:00", "B": "2024-01-04 12:00", "C": "2024-01-10 11:59", "D": "2024-01-10 12:00"}
    shelves = [shop.promotion(item, "s", "2024-01-03 12:00", "2024-01-10 12:00", display="1") for item in times]
    always = shop.promotion("Z", "s", "2024-01-01", "2024-02-01", display="1")
    found = seen(spark, [bought(item, t) for item, t in times.items()], [*shelves, always])
    assert [display for _, _, display, _ in found] == [True, True, True, False]


def test_a_week_in_which_the_clocks_go_back_is_a_week_like_others(spark):
    """A promotion of seven days and an hour, and a line in its last hour, in the week after the one it begins in."""
    shelf = shop.promotion("A", "s", "2023-10-30 04:00", "2023-11-06 05:00", display="1")
    assert seen(spark, [bought("A", "2023-11-06 04:30")], [shelf]) == [("A", "2023-11-06 04:30:00", True, False)]


def test_promotions_that_are_long_or_have_no_end_or_overlap_do_not_multiply_lines(spark):
    long = shop.promotion("A", "s", "2023-06-01", "2024-02-01", display="1")
    endless = shop.promotion("B", "s", "2023-06-01", "2024-02-01", mailer="A") | {"valid_to": None}
    overlap = [shop.promotion("A", "s", "2024-01-01", "2024-01-08", mailer="A"), long, endless]
    found = seen(spark, [bought("A", "2024-01-05"), bought("B", "2024-02-28"), bought("C", "2024-01-05")], overlap)
    assert [(i, d, m) for i, _, d, m in found] == [("A", True, True), ("B", False, True), ("C", False, False)]


def test_every_day_of_a_week_wherever_the_week_begins(spark):
    """Against a plain comparison: promotions of a week that begin on any weekday, one line a day."""
    first = date(2024, 1, 1)
    shelves = [
        shop.promotion(f"i{n}", "s", str(first + timedelta(days=n)), str(first + timedelta(days=n + 7)), display="1")
        for n in range(7)
    ]
    days = [first + timedelta(days=n) for n in range(14)]
    events = [bought(f"i{n}", f"{day} 09:30") for n in range(7) for day in days]
    recorded = [shop.promotion("Z", "s", "2023-12-01", "2024-02-20", display="1")]
    for item, when, display, _ in seen(spark, events, shelves + recorded):
        n = int(item[1:])
        began = first + timedelta(days=n)
        assert display == (began <= date.fromisoformat(when[:10]) < began + timedelta(days=7)), (item, when)


def test_response_is_against_the_chance_of_the_category(spark):
    # milk: 6 of 10 lines on display; a bought 5 of 5 so, b 1 of 5; c's soap: never known.
    rows = [
        ("a", "milk", 500, 0, 0, 0, 5, 0, 5, 5, 0, 5),
        ("b", "milk", 500, 100, 0, 2, 5, 0, 5, 1, 0, 5),
        ("c", None, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    ]
    found = {r["user_id"]: r for r in responses(spark.createDataFrame(rows, PAIR), 2.0).collect()}
    assert found["a"]["display_response"] == pytest.approx(log((5 + 2) / (3 + 2)))
    assert found["b"]["display_response"] == pytest.approx(log((1 + 2) / (3 + 2)))
    assert (found["a"]["display_share"], found["b"]["display_share"]) == (1, pytest.approx(0.2))
    assert found["b"]["offer_response"] == pytest.approx(log((2 + 2) / (1 + 2)))
    assert found["b"]["discount_depth"] == pytest.approx(100 / 600)
    nobody = found["c"]
    assert [nobody[f"{k}_share"] for k in ("offer", "coupon", "display", "mailer")] == [None] * 4
    assert [nobody[f"{k}_response"] for k in ("offer", "coupon", "display", "mailer")] == [0] * 4


def test_a_shop_without_promotions_knows_of_none(spark):
    assert seen(spark, [bought("A", "2024-01-05")], []) == [("A", "2024-01-05 00:00:00", None, None)]
    assert item_promotions(shop.frame(spark, PROMOTIONS, []), AS_OF).collect() == []
