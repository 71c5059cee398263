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
    bought = purchases(events, AS_OF, horizon=14)
    made = pairs(candidates, matched, bought, ("als", "buy_again"), half_life_days=20.0, horizon=14)
    return [row.asDict() for row in made.collect()]


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
    assert [bread[n] for n in ("pair_days", "pair_age", "pair_first_age", "pair_last_gap")] == [3, 2, 60, 20]
    assert [bread[f"pair_days_{n}"] for n in (7, 14, 28, 56, 91)] == [1, 1, 2, 2, 3]
    for name, half_life in (("pair_decayed", 20), ("pair_decayed_14", 14), ("pair_decayed_30", 30)):
        assert bread[name] == pytest.approx(sum(0.5 ** (age / half_life) for age in (2, 22, 60)))
    assert (bread["units"], bread["paid"]) == (5.0, 10.0)


def test_visits_by_hand(made: dict) -> None:
    """The user came 2, 22, 28 and 60 days ago, and bought bread the first, second and fourth of these times."""
    bread, milk = made["u", "bread"], made["u", "milk"]
    assert [bread[n] for n in ("pair_visits", "pair_first_visits")] == [0, 3]
    assert [milk[n] for n in ("pair_visits", "pair_first_visits")] == [2, 2]
    assert [bread[f"pair_last_visits_{n}"] for n in (1, 3, 5, 10, 20)] == [1, 2, 3, 3, 3]
    for n in (5, 40):
        assert bread[f"pair_habit_{n}"] == pytest.approx(1 + 0.5 ** (1 / n) + 0.5 ** (3 / n))


def test_periods_by_hand(made: dict) -> None:
    """Days 2, 22 and 60 lie in the periods 0, 1 and 4 of 14 days, of which five have begun since the first purchase."""
    bread = made["u", "bread"]
    assert bread["pair_period_rate"] == pytest.approx(3 / 6)
    assert bread["pair_periods_80"] == pytest.approx(1 + 0.8 + 0.8**4)
    assert bread["pair_periods_90"] == pytest.approx(1 + 0.9 + 0.9**4)


def test_a_period_counts_once(spark: SparkSession) -> None:
    """Days 1 and 14 lie in one period of 14 days, day 15 in the next: two periods of two, and one more."""
    days = [datetime(2024, 2, 29), datetime(2024, 2, 16), datetime(2024, 2, 15)]
    events = spark.createDataFrame([(day, "purchase", "u", "bread", 1, 1.0) for day in days], EVENTS)
    bought = purchases(events, AS_OF, horizon=14)
    assert {row["age"]: (row["opens"], row["gap"]) for row in bought.collect()} == {
        1: (False, 13),
        14: (True, 1),
        15: (True, None),
    }
    none = spark.createDataFrame([], CANDIDATES)
    matched = spark.createDataFrame([], "user_id string, item_id string, match_als float")
    bread = pairs(none, matched, bought, ("als",), half_life_days=20.0, horizon=14).first()
    assert bread["pair_period_rate"] == pytest.approx(2 / 3)
    assert bread["pair_periods_80"] == pytest.approx(1 + 0.8)


def test_never_bought(made: dict) -> None:
    """Jam was bought on the as-of date, which is not before it."""
    jam = made["u", "jam"]
    assert [jam[n] for n in ("pair_days", "pair_days_28", "pair_decayed", "pair_habit_5", "pair_periods_80")] == [0] * 5
    unknown = ("pair_age", "pair_first_age", "pair_last_gap", "pair_visits", "pair_first_visits", "pair_period_rate")
    assert [jam[n] for n in unknown] == [None] * 6
