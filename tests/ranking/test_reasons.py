"""Reasons: sentences that the facts bear out, strongest first."""

from datetime import datetime

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from shoprec.ranking.lists import FACTS
from shoprec.ranking.reasons import explained, nearest, often_bought, reasons, sentences, strongest_sources

SOURCES = ("als", "item_knn", "buy_again")
SCHEMA = ", ".join(
    ["id string", "families array<string>", "category string", "kin_name string", *(f"{n} float" for n in FACTS)]
)

#: What each row shows: its families, its facts, and the sentences expected of them.
CASES = {
    "rhythm": (["repeat"], {"pair_days": 6, "pair_age": 9, "pair_gap": 10.4},
        ["Bought 6 times, last 9 days ago; usually every 10 days"]),
    "twice": (["repeat"], {"pair_days": 2, "pair_age": 1, "pair_gap": 3.0},
        ["Bought 2 times, last 1 day ago"]),
    "once": (["repeat"], {"pair_days": 1, "pair_age": 30},
        ["Bought once, 30 days ago"]),
    "never": (["repeat", "taste"], {"pair_days": 0},
        ["Shoppers with a taste like yours buy this"]),
    "kin": (["similar"], {"kin_name": "RYE BREAD"},
        ["People who buy RYE BREAD also buy this"]),
    "kin unknown": (["similar"], {},
        ["Fits what you buy"]),
    "category": (["category"], {"category": "SOFT DRINKS", "category_days": 12, "category_age": 3},
        ["Often bought in SOFT DRINKS: 12 times, last 3 days ago"]),
    "category seldom": (["category"], {"category": "SOFT DRINKS", "category_days": 2, "category_age": 3},
        ["Fits what you buy"]),
    "no category": (["category", "price"], {"category_days": 12, "category_age": 3, "price_ratio": 1.0},
        ["Fits what you buy"]),
    "display": (["offer"], {"item_display_now": 0.2, "item_mailer_now": 0.5},
        ["On display this week"]),
    "mailer": (["offer"], {"item_display_now": 0, "item_mailer_now": 0.5},
        ["In this week's mailer"]),
    "mailer to come": (["offer"], {"item_display_now": 0, "item_mailer_now": 0, "item_mailer_ahead": 0.1},
        ["In a mailer of the coming days"]),
    "mailer now and to come": (["offer"], {"item_display_now": 0, "item_mailer_now": 0.5, "item_mailer_ahead": 0.5},
        ["In this week's mailer"]),
    "no mailer to come": (["offer"], {"item_display_now": 0, "item_mailer_now": 0, "item_mailer_ahead": 0},
        ["Fits what you buy"]),
    "no offer": (["offer", "brand"],
        {"item_display_now": 0, "item_mailer_now": 0, "item_discount_frequency": 0.1, "brand_days": 4},
        ["A brand you have bought 4 times"]),
    "cheap": (["price"], {"category": "TEA", "price_ratio": 0.5},
        ["Cheaper than what you usually buy in TEA"]),
    "usual": (["price"], {"category": "TEA", "price_ratio": 1.1},
        ["Priced like what you buy in TEA"]),
    "dear": (["price"], {"category": "TEA", "price_ratio": 2.0},
        ["Fits what you buy"]),
    "popular": (["popular"], {"item_users_28d": 41},
        ["Bought by 41 shoppers in the last 28 days"]),
    "unknown numbers": (["popular", "trend", "offer"], {},
        ["Fits what you buy"]),
    "order": (["trend", "repeat", "popular", "taste"],
        {"pair_days": 1, "pair_age": 2, "item_users_28d": 10, "item_trend_28d": 0.5},
              ["Selling more than usual", "Bought once, 2 days ago"]),
    "nothing speaks": ([], {"pair_days": 1, "pair_age": 2},
        ["Fits what you buy"]),
}  # fmt: skip


def test_sentences_say_what_the_facts_are(spark: SparkSession) -> None:
    """Every case at once, with two reasons at most."""
    names = ("category", "kin_name", *FACTS)
    rows = [(name, families, *(_typed(facts.get(n)) for n in names)) for name, (families, facts, _) in CASES.items()]
    frame = spark.createDataFrame(rows, SCHEMA)
    made = frame.select("id", reasons(F.col("families"), sentences(), 2).alias("reasons")).collect()
    assert {row["id"]: row["reasons"] for row in made} == {name: expected for name, (_, _, expected) in CASES.items()}


def _typed(value):
    return float(value) if isinstance(value, int) else value


def test_sources_by_the_place_they_gave(spark: SparkSession) -> None:
    frame = spark.createDataFrame(
        [(1, 5.0, None, 2.0), (2, 3.0, 3.0, None), (3, None, None, None)],
        "id int, rank_als float, rank_item_knn float, rank_buy_again float",
    )
    made = {row["id"]: row["s"] for row in frame.select("id", strongest_sources(SOURCES).alias("s")).collect()}
    assert made == {1: ["buy_again", "als"], 2: ["als", "item_knn"], 3: []}


@pytest.fixture(scope="module")
def neighbours(spark: SparkSession):
    return spark.createDataFrame(
        [("jam", "bread", 2), ("jam", "butter", 1), ("jam", "tea", 3), ("tea", "milk", 1), ("tea", "far", 21)],
        "item_id string, neighbour_id string, rank int",
    )


def test_nearest_are_in_order_and_far_ones_left_out(neighbours) -> None:
    made = {row["item_id"]: row["near"] for row in nearest(neighbours).collect()}
    assert made == {"jam": ["butter", "bread", "tea"], "tea": ["milk"]}


def test_explained_by_hand(spark: SparkSession, neighbours) -> None:
    """u bought bread and tea, so jam is explained by bread, the nearer one; v bought none of its neighbours."""
    bought = [(datetime(2024, 1, 1), "purchase", "u", item) for item in ("tea", "tea", "bread")]
    viewed = [(datetime(2024, 1, 1), "view", "v", "butter"), (datetime(2024, 1, 1), "purchase", "v", "soap")]
    events = spark.createDataFrame(bought + viewed, "event_at timestamp, type string, user_id string, item_id string")
    items = spark.createDataFrame(
        [("jam", "Jam", "SPREADS"), ("bread", "Bread", "BAKERY"), ("tea", "Tea", None), ("butter", "Butter", "DAIRY")],
        "item_id string, name string, category string",
    )
    facts = dict.fromkeys(FACTS, 0.0)
    rows = [
        ("discovery", "m", user, 1, "jam", 0.3, ["similar", "taste"], None, 1.0, None, *facts.values())
        for user in ("u", "v")
    ]
    rows += [
        (
            "all",
            "m",
            "v",
            rank,
            item,
            0.2,
            None,
            None,
            None,
            1.0,
            *{**facts, "pair_days": 1.0, "pair_age": 4.0}.values(),
        )
        for rank, item in ((1, "tea"), (2, "soap"))
    ]
    lists = spark.createDataFrame(
        rows,
        "list string, market string, user_id string, rank int, item_id string, score double, families array<string>, "
        "rank_als float, rank_item_knn float, rank_buy_again float, " + ", ".join(f"{name} float" for name in FACTS),
    )
    known = spark.createDataFrame(
        [("v", "tea", 0.1, ["repeat"]), ("v", "jam", 0.2, ["repeat"])],
        "user_id string, item_id string, odds double, families array<string>",
    )
    told = explained(lists, known, items, neighbours, events, SOURCES, 3).collect()
    made = {(row["user_id"], row["item_id"]): row.asDict() for row in told}
    taste = "Shoppers with a taste like yours buy this"
    assert made["u", "jam"] == {
        "list": "discovery", "market": "m", "user_id": "u", "rank": 1, "item_id": "jam", "score": 0.3,
        "sources": ["item_knn"], "reasons": ["People who buy Bread also buy this", taste],
    }  # fmt: skip
    assert made["v", "jam"]["reasons"] == [taste]
    assert made["v", "tea"]["reasons"] == ["Bought once, 4 days ago"]
    assert made["v", "soap"]["reasons"] == ["Fits what you buy"]
    assert {tuple(sorted(row["mine"])) for row in often_bought(events).collect()} == {("bread", "tea"), ("soap",)}
