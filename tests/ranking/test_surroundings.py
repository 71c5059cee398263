"""The kernel that sets each candidate against its user's list and history."""

import math
import random

import pytest

from shoprec.ranking.surroundings import surround
from tests.ranking.tables import NAMES, SOURCES, by_item, user_rows

#: u bought bread on two days (ages 3 and 13), milk once (age 5, not proposed); jam and tea are new. Tea has no
#: category.
BREAD = {
    "item_id": "bread", "proposals": 2, "department": 1, "category": 10, "subcategory": 100, "brand": 7,
    "score_als": 2.0, "rank_als": 2, "score_buy_again": 0.9, "rank_buy_again": 1,
    "pair_days": 2, "pair_decayed": 1.5, "pair_age": 3, "pair_first_age": 13,
    "units": 3.0, "paid": 6.0, "item_price": 3.0, "item_price_level": 0.5, "item_repurchase_days": 6.0,
    "user_price_level": 0.2, "user_baskets": 8, "user_gap_days": 4.0, "pair_odds": -0.5, "item_subcategory_share": 0.1,
}  # fmt: skip
MILK = {
    "item_id": "milk", "department": 1, "category": 10, "subcategory": 101,
    "pair_days": 1, "pair_decayed": 0.5, "pair_age": 1, "pair_first_age": 1, "units": 1.0,
    "paid": 2.0,
}  # fmt: skip
JAM = {
    "item_id": "jam", "proposals": 1, "department": 1, "category": 10, "subcategory": 100, "brand": 7,
    "score_als": 5.0, "rank_als": 1, "item_price": 4.0, "item_price_level": -0.1, "user_price_level": 0.2,
    "user_gap_days": 4.0,
}  # fmt: skip
TEA = {"item_id": "tea", "proposals": 1, "score_als": 1.0, "rank_als": 3, "item_price": 4.0, "user_gap_days": 4.0}


def made(*rows: dict) -> dict[str, dict]:
    return by_item(surround(user_rows(*rows), NAMES, SOURCES))


def test_a_line_is_what_one_maker_has_of_one_subcategory() -> None:
    """Bread's maker also made the jam's line mate; another maker's, and another subcategory of theirs, are other
    lines."""
    bought = [
        {**MILK, "item_id": f"i{n}", "subcategory": subcategory, "brand": brand}
        for n, (subcategory, brand) in enumerate([(100, 7), (100, 7), (100, 8), (101, 7)])
    ]
    rows = made(*bought, JAM, {**JAM, "item_id": "no maker", "brand": None})
    assert rows["jam"]["line_items"] == 2
    assert rows["jam"]["subcategory_firsts"] == pytest.approx(3 * 0.5 ** (1 / 60))
    assert rows["no maker"]["line_items"] is None
    assert rows["no maker"]["subcategory_days"] == 3


def test_bought_and_proposed() -> None:
    """Every figure of bread, by hand: three purchases-days in its category, two of them its own."""
    bread = made(BREAD, MILK, JAM, TEA)["bread"]
    expected = {
        "score_als": 0.25,  # (2 - 1) / (5 - 1)
        "score_buy_again": 1.0,  # the only one of its list
        "pair_habit": 0.9,  # its score as it was
        "rank_als": 2, "proposals": 2, "best_rank": 1,
        "pair_days": 2, "pair_age": 3, "pair_gap": 10,  # (13 - 3) / (2 - 1)
        "pair_overdue": 0.3, "pair_item_overdue": 0.5, "pair_units": 1.5,
        "pair_spend_share": 0.75,  # 6 of 8
        "pair_visits_missed": 0.5,  # bought 3 days ago, last visit 1 day ago, a visit every 4 days
        "pair_visit_share": 0.25,
        "department_affinity": 1.0, "category_affinity": 1.0, "subcategory_affinity": 0.75, "brand_affinity": 0.75,
        "category_days": 3, "category_items": 2, "category_age": 1, "category_part": 0.75,
        "subcategory_days": 2, "subcategory_age": 3, "subcategory_part": 1.0, "brand_days": 2,
        "subcategory_firsts": 0.5 ** (13 / 60), "line_items": 1,
        "subcategory_lift": math.log((2 / 0.1 + 30) / (3 + 30)),  # 2 of 3 days, where the shop has a tenth
        "price_ratio": 1.5,  # 3 against 8 / 4 a unit in the category
        "price_gap": 0.3,
    }  # fmt: skip
    assert {name: bread[name] for name in expected} == pytest.approx(expected)


def test_what_is_not_known_is_null_and_not_zero() -> None:
    jam, tea = (made(BREAD, MILK, JAM, TEA)[item] for item in ("jam", "tea"))
    assert jam["score_buy_again"] is None
    assert jam["pair_habit"] is None
    assert jam["rank_buy_again"] is None
    assert [jam[n] for n in ("pair_age", "pair_gap", "pair_overdue", "pair_visits_missed", "pair_units")] == [None] * 5
    assert jam["pair_days"] == 0
    assert jam["category_days"] == 3
    assert jam["category_part"] == 0
    assert jam["item_trend_7d"] is None
    for name in (
        "category_affinity",
        "category_days",
        "category_age",
        "brand_affinity",
        "subcategory_part",
        "price_ratio",
    ):
        assert tea[name] is None, name


def test_only_candidates_come_out() -> None:
    assert set(made(BREAD, MILK, JAM, TEA)) == {"bread", "jam", "tea"}


def test_order_of_rows_does_not_matter() -> None:
    rows = [BREAD, MILK, JAM, TEA]
    numbered = [{**row, "tie": i} for i, row in enumerate(rows)]
    expected = made(*numbered)
    for seed in range(5):
        assert made(*random.Random(seed).sample(numbered, 4)) == expected


def test_equal_scores_are_all_best() -> None:
    rows = made({**JAM, "score_als": 2.0}, {**TEA, "score_als": 2.0})
    assert [rows[item]["score_als"] for item in ("jam", "tea")] == [1.0, 1.0]


def test_a_user_without_purchases() -> None:
    """Shares of nothing are unknown, and nothing is raised."""
    jam = made(JAM)["jam"]
    assert jam["category_affinity"] is None
    assert jam["pair_spend_share"] is None
    assert jam["category_age"] is None
    assert jam["category_days"] == 0


def test_users_do_not_touch_one_another() -> None:
    """Two users' rows, mixed, give each what their rows alone give."""
    mine = [BREAD, MILK, JAM, TEA]
    theirs = [{**row, "user_id": "v", "tie": 10 + i} for i, row in enumerate([{**BREAD, "score_als": 9.0}, JAM, MILK])]
    alone = [surround(user_rows(*rows), NAMES, SOURCES).to_pylist() for rows in (mine, theirs)]
    mixed = [row for pair in zip(theirs, mine, strict=False) for row in pair] + mine[3:]
    numbered = [{**row, "tie": row.get("tie", mine.index(row) if row in mine else 0)} for row in mixed]
    together = surround(user_rows(*numbered), NAMES, SOURCES).to_pylist()
    for user, expected in zip("uv", alone, strict=True):
        made = sorted((row for row in together if row["user_id"] == user), key=lambda row: row["tie"])
        assert made == sorted(expected, key=lambda row: row["tie"])
