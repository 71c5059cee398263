"""Pairs: candidates, purchases and odds of a user and an item, side by side."""

import pytest
from pyspark.sql import SparkSession

from shoprec.ranking.histories import BOUGHT
from shoprec.ranking.pairs import pairs


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> dict[tuple[str, str], dict]:
    """Pairs of two users, by (user, item): u bought bread and milk, of which milk is proposed by no fused source."""
    candidates = spark.createDataFrame(
        [("als", "m", "u", "bread", 0.7, 2), ("als", "m", "u", "jam", 0.9, 1), ("buy_again", "m", "u", "bread", 3.0, 1),
         ("other", "m", "u", "milk", 9.0, 1), ("als", "m", "v", "jam", -0.4, 1)],
        "source string, market string, user_id string, item_id string, score double, rank int",
    )  # fmt: skip
    matched = spark.createDataFrame(
        [("u", "bread", 0.25), ("u", "jam", None), ("v", "jam", -2.0)],
        "user_id string, item_id string, match_als float",
    )
    bought = spark.createDataFrame(
        [("u", "bread", 3.0, 1.7, 2.0, 60.0, 5.0, 10.0), ("u", "milk", 1.0, 0.4, 28.0, 28.0, 1.0, 1.0)],
        ", ".join(["user_id string, item_id string", *(f"{name} double" for name in BOUGHT)]),
    )
    odds = spark.createDataFrame(
        [("u", "bread", -0.5), ("u", "milk", 0.2)], "user_id string, item_id string, odds double"
    )
    rows = pairs(candidates, matched, bought, odds, ("als", "buy_again"), 3).collect()
    assert len(rows) == 4
    return {(row["user_id"], row["item_id"]): row.asDict() for row in rows}


def test_one_row_a_pair(made: dict) -> None:
    assert set(made) == {("u", "bread"), ("u", "jam"), ("u", "milk"), ("v", "jam")}


def test_sources_stand_beside_each_other(made: dict) -> None:
    bread, jam = made["u", "bread"], made["u", "jam"]
    names = ("proposals", "score_als", "rank_als", "score_buy_again", "rank_buy_again")
    assert [bread[n] for n in names] == [2, 0.7, 2, 3.0, 1]
    assert [jam[n] for n in names] == [1, 0.9, 1, None, None]
    assert made["v", "jam"]["score_als"] == -0.4


def test_what_models_and_the_ranker_of_known_items_say_stands_with_the_pair(made: dict) -> None:
    said = {pair: row["match_als"] for pair, row in made.items()}
    assert said == {("u", "bread"): 0.25, ("u", "jam"): None, ("u", "milk"): None, ("v", "jam"): -2.0}
    odds = {pair: row["pair_odds"] for pair, row in made.items()}
    assert odds == {("u", "bread"): -0.5, ("u", "jam"): None, ("u", "milk"): 0.2, ("v", "jam"): None}


def test_what_is_bought_and_not_proposed_stays_for_the_sums(made: dict) -> None:
    """A source that is not fused proposes nothing."""
    milk = made["u", "milk"]
    assert milk["proposals"] == 0
    assert [milk[name] for name in BOUGHT] == [1, 0.4, 28, 28, 1, 1]


def test_never_bought(made: dict) -> None:
    """No days, units or money; its ages are unknown."""
    jam = made["v", "jam"]
    assert {name: jam[name] for name in BOUGHT} == {
        "pair_days": 0, "pair_decayed": 0, "units": 0, "paid": 0, "pair_age": None, "pair_first_age": None,
    }  # fmt: skip
