"""Tastes of users of whose items little is known."""

from math import log

import pytest

from shoprec.features.affinity import LEVELS, tastes
from shoprec.features.config import ProfileSettings

SETTINGS = ProfileSettings(taste_prior=4, tastes=2)


@pytest.fixture(scope="module")
def told(spark):
    rows = [
        ("ann", 3.0, "food", "bread", "B"),
        ("ann", 1.0, "food", "jam", None),
        ("bob", 2.0, "home", None, None),
        ("cid", 1.0, None, None, None),
        ("dot", 2.0, "food", "jam", "C"),
        ("dot", 0.0, "food", "tea", "C"),
    ]
    pairs = spark.createDataFrame(
        rows, "user_id string, weight double, department string, category string, brand string"
    )
    return {row["user_id"]: row for row in tastes(pairs, SETTINGS).collect()}


def names(row, column):
    return [taste["name"] for taste in row[column]]


def test_every_user_has_a_row_and_nothing_where_nothing_is_known(told):
    assert sorted(told) == ["ann", "bob", "cid", "dot"]
    for user, levels in {"cid": LEVELS, "bob": ("category", "brand")}.items():
        for level in levels:
            assert (told[user][LEVELS[level]], told[user][f"{level}_breadth"]) == ([], 0)
        assert told[user]["taste_distance"] == 0
    assert (names(told["bob"], "departments"), told["bob"]["department_breadth"]) == (["home"], 1)


def test_unknown_names_are_no_part_of_a_level(told):
    # Of brands ann is known to have bought B alone, of which the shop sold 3 of 5.
    (only,) = told["ann"]["brands"]
    assert (only["name"], only["share"]) == ("B", 1)
    assert only["affinity"] == pytest.approx(log((3 + 4 * 3 / 5) / (3 + 4) / (3 / 5)))
    assert told["ann"]["brand_breadth"] == 1


def test_levels_do_not_mix(told):
    assert names(told["ann"], "departments") == ["food"]
    assert names(told["ann"], "categories") == ["bread", "jam"]
    assert names(told["dot"], "brands") == ["C"]


def test_what_was_bought_very_long_ago_stands_with_next_to_no_share(told):
    assert names(told["dot"], "categories") == ["jam", "tea"]
    assert told["dot"]["categories"][1]["share"] == pytest.approx(0, abs=1e-11)
