"""Pairs: candidates and purchases of a user and an item, side by side."""

from datetime import date, datetime

import pytest
from pyspark.sql import DataFrame, SparkSession

from shoprec.ranking.pairs import pairs, purchases

AS_OF = date(2024, 3, 1)
EVENTS = "event_at timestamp, type string, user_id string, item_id string, quantity int, amount double"
CANDIDATES = "source string, market string, user_id string, item_id string, score double, rank int"


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> dict[tuple[str, str], dict]:
    """Pairs of two users, by (user, item)."""
    at = lambda day, hour=12: datetime(2024, 2, day, hour)  # noqa: E731
    events = spark.createDataFrame(
        [
            (at(28), "purchase", "u", "bread", 1, 2.5), (at(28, 18), "purchase", "u", "bread", 2, 5.0),
            (at(8), "purchase", "u", "bread", 1, None), (at(2), "purchase", "u", "milk", 1, 1.0),
            (at(20), "view", "u", "jam", 1, None), (at(20), "return", "u", "bread", -1, -2.5),
            (datetime(2024, 1, 1, 9), "purchase", "u", "bread", 1, 2.5),
            (datetime(2024, 3, 1), "purchase", "u", "jam", 1, 1.0), (datetime(2024, 3, 2), "purchase", "u", "bread",
            9, 9.0),
        ],
        EVENTS,
    )  # fmt: skip
    return {(row["user_id"], row["item_id"]): row for row in _pairs(spark, events)}


def _pairs(spark: SparkSession, events: DataFrame) -> list[dict]:
    candidates = spark.createDataFrame(
        [("als", "m", "u", "bread", 0.7, 2), ("als", "m", "u", "jam", 0.9, 1), ("buy_again", "m", "u", "bread", 3.0, 1),
         ("other", "m", "u", "milk", 9.0, 1), ("als", "m", "v", "jam", -0.4, 1)],
        CANDIDATES,
    )  # fmt: skip
    matched = spark.createDataFrame(
        [("u", "bread", 0.25), ("u", "jam", None), ("v", "jam", -2.0)],
        "user_id string, item_id string, match_als float",
    )
    rows = pairs(candidates, matched, purchases(events, AS_OF), ("als", "buy_again"), half_life_days=20.0).collect()
    return [row.asDict() for row in rows]


def test_one_row_a_pair(made: dict) -> None:
    assert set(made) == {("u", "bread"), ("u", "jam"), ("u", "milk"), ("v", "jam")}


def test_sources_stand_beside_each_other(made: dict) -> None:
    bread, jam = made["u", "bread"], made["u", "jam"]
    assert [bread[n] for n in ("proposals", "score_als", "rank_als", "score_buy_again", "rank_buy_again")] == [
        2,
        0.7,
        2,
        3.0,
        1,
    ]
    assert [jam[n] for n in ("proposals", "score_als", "score_buy_again", "rank_buy_again")] == [1, 0.9, None, None]
    assert made["v", "jam"]["score_als"] == -0.4


def test_what_models_say_stands_with_the_candidate(made: dict) -> None:
    said = {pair: row["match_als"] for pair, row in made.items()}
    assert said == {("u", "bread"): 0.25, ("u", "jam"): None, ("u", "milk"): None, ("v", "jam"): -2.0}


def test_what_is_bought_and_not_proposed_stays_for_the_sums(made: dict) -> None:
    """A source that is not fused proposes nothing."""
    assert made["u", "milk"]["proposals"] == 0
    assert made["u", "milk"]["pair_days"] == 1


def test_purchases_by_hand(made: dict) -> None:
    """Bread on three days: 2 (two baskets), 22 and 60 days before 1 March; later ones and returns do not count."""
    bread = made["u", "bread"]
    assert [bread[n] for n in ("pair_days", "pair_recent_days", "pair_age", "pair_first_age")] == [3, 2, 2, 60]
    assert bread["pair_decayed"] == pytest.approx(0.5 ** (2 / 20) + 0.5 ** (22 / 20) + 0.5 ** (60 / 20))
    assert (bread["units"], bread["paid"]) == (5.0, 10.0)


def test_never_bought(made: dict) -> None:
    """Jam was bought on the as-of date, which is not before it."""
    jam = made["u", "jam"]
    assert [jam[n] for n in ("pair_days", "pair_recent_days", "pair_decayed", "pair_age", "pair_first_age")] == [
        0,
        0,
        0,
        None,
        None,
    ]
