"""The lift of the as-of date's month."""

from datetime import date
from math import log

import pytest

from shoprec.features.season import season
from tests.features import shop


def test_the_lift_of_this_month_and_of_one_in_which_the_item_was_never_sold(spark):
    # The shop: 6 lines in May, 4 in June. A: 3 of 3 in May; B: 3 of 7.
    rows = [("A", "2023-05-10", 3), ("B", "2023-05-11", 3), ("B", "2022-06-11", 4)]
    bought = spark.createDataFrame([(i, shop.at(t), n) for i, t, n in rows], "item_id string, at timestamp, lines long")
    may = {r["item_id"]: r["season_now"] for r in season(bought, date(2024, 5, 1), 10.0).collect()}
    june = {r["item_id"]: r["season_now"] for r in season(bought, date(2024, 6, 1), 10.0).collect()}
    assert may == pytest.approx({"A": log((3 + 6) / 13 / 0.6), "B": log((3 + 6) / 17 / 0.6)})
    assert june == pytest.approx({"A": log(4 / 13 / 0.4), "B": log((4 + 4) / 17 / 0.4)})
