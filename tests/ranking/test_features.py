"""Features and labels: point in time, nothing for what is unknown, and one row a candidate."""

import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec.contracts.gold_features import ITEM_FEATURES, USER_PROFILES
from shoprec.packed import unpacked
from shoprec.ranking.config import FACT_COLUMNS, FEATURES, ITEM_COLUMNS, USER_COLUMNS
from shoprec.ranking.features import bought_within, feature_names, features, labelled, pair_rows
from shoprec.ranking.histories import bought, histories
from shoprec.ranking.pairs import pairs

DAY = date(2024, 3, 1)
SOURCES = ("als", "buy_again")
EVENTS = (
    "event_at timestamp, known_at timestamp, superseded_at timestamp, type string, user_id string, item_id string, "
    "quantity int, amount double, discount double"
)


def events(spark: SparkSession, *rows: tuple[datetime, str, str]) -> DataFrame:
    return spark.createDataFrame(
        [(at, at, None, "purchase", user, item, 1, 2.0, 0.0) for at, user, item in rows], EVENTS
    )


def wide(spark: SparkSession, contract, rows: list[dict]) -> DataFrame:
    """Rows of a wide table: what a row does not say is null."""
    schema = ", ".join(f"{c.name} {c.type}" for c in contract.columns if c.name not in ("as_of", "run_id"))
    names = [c.name for c in contract.columns if c.name not in ("as_of", "run_id")]
    return spark.createDataFrame([tuple(row.get(name) for name in names) for row in rows], schema)


@pytest.fixture(scope="module")
def tables(spark: SparkSession) -> tuple[DataFrame, DataFrame, DataFrame, DataFrame]:
    """candidates, user index, profiles (of u alone), items."""
    candidates = spark.createDataFrame(
        [("als", "m", "u", "bread", 0.7, 2), ("als", "m", "u", "jam", 0.9, 1), ("buy_again", "m", "u", "bread", 3.0, 1),
         ("als", "m", "v", "jam", 0.1, 1)],
        "source string, market string, user_id string, item_id string, score double, rank int",
    )  # fmt: skip
    index = spark.createDataFrame([("u", "m"), ("v", "m")], "user_id string, market string")
    profiles = wide(
        spark, USER_PROFILES, [{"user_id": "u", "market": "m", "baskets": 4, "gap_days": 5.0, "price_level": 0.25}]
    )
    items = wide(spark, ITEM_FEATURES, [
        {"item_id": "bread", "department": "food", "category": "bakery", "brand": "b", "users_28d": 12,
         "price_level": 0.5},
        {"item_id": "jam", "department": "food", "category": "spreads", "users_28d": 3},
        {"item_id": "toast", "department": "food", "category": "bakery"},
    ])  # fmt: skip
    return candidates, index, profiles, items


def made_of(tables: tuple, interactions: DataFrame) -> DataFrame:
    candidates, index, profiles, items = tables
    matched = candidates.select("user_id", "item_id", F.lit(0.5).cast("float").alias("match_als")).distinct()
    odds = candidates.select("user_id", "item_id", F.lit(0.75).alias("odds")).where("item_id = 'bread'").distinct()
    paired = pairs(candidates, matched, bought(histories(interactions, DAY), 0, 60.0), odds, SOURCES, 3)
    facts = items.select("item_id", *(F.lit(0.5).alias(name) for name in FACT_COLUMNS)).where("item_id <> 'jam'")
    rows = pair_rows(paired, index, profiles, items, facts)
    return features(rows, SOURCES)


def collected(tables: tuple, interactions: DataFrame) -> dict[tuple[str, str], dict]:
    return by_pair(made_of(tables, interactions))


def by_pair(made: DataFrame) -> dict[tuple[str, str], dict]:
    """The rows of ``features`` by pair, unpacked; what is not known is None, whether it was null or NaN."""
    names = feature_names(SOURCES)
    table = made.drop(*names).toArrow()
    rows = [
        {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
        for row in unpacked(table, {FEATURES: names}).to_pylist()
    ]
    apart = made.select("user_id", "item_id", "pair_days", *(f"rank_{source}" for source in SOURCES)).collect()
    told = {(row["user_id"], row["item_id"]): row for row in rows}
    for row in apart:
        assert told[row["user_id"], row["item_id"]].items() >= row.asDict().items()
    return told


BEFORE = (
    (datetime(2024, 2, 20, 9), "u", "bread"),
    (datetime(2024, 2, 24, 9), "u", "bread"),
    (datetime(2024, 2, 25, 9), "u", "toast"),
)


@pytest.fixture(scope="module")
def made(spark: SparkSession, tables: tuple) -> dict[tuple[str, str], dict]:
    return collected(tables, events(spark, *BEFORE))


@pytest.fixture
def told_alone(spark: SparkSession) -> Iterator[None]:
    """Spark sends to all tasks what it is told to send, and nothing because it is small."""
    spark.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")
    yield
    spark.conf.unset("spark.sql.autoBroadcastJoinThreshold")


@pytest.mark.usefixtures("told_alone")
def test_pairs_stay_with_their_users_where_items_are_few(
    spark: SparkSession, tables: tuple, made: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = shuffles(made_of(tables, events(spark, *BEFORE)))
    monkeypatch.setattr("shoprec.ranking.features.MOST_SENT", 0)
    many = made_of(tables, events(spark, *BEFORE))
    # To their items, and back.
    assert shuffles(many) == few + 2
    assert by_pair(many) == made


def shuffles(rows: DataFrame) -> int:
    return rows._jdf.queryExecution().executedPlan().toString().count("Exchange hashpartitioning")


def test_one_row_a_candidate(made: dict) -> None:
    assert set(made) == {("u", "bread"), ("u", "jam"), ("v", "jam")}
    assert {row["market"] for row in made.values()} == {"m"}


def test_user_item_and_pair_by_hand(made: dict) -> None:
    """Bread: 2 of its category's 3 purchases; bought 6 days ago, the last visit 5 days ago, a visit every 5 days."""
    bread = made["u", "bread"]
    expected = {
        "score_als": 0.0, "rank_als": 2, "score_buy_again": 1.0, "rank_buy_again": 1, "proposals": 2, "best_rank": 1,
        "pair_days": 2, "pair_gap": 4, "pair_overdue": 1.5, "pair_visits_missed": 0.2, "pair_visit_share": 0.5,
        "category_days": 3, "category_items": 2, "category_age": 5, "brand_days": 2, "price_gap": 0.25,
        "user_baskets": 4, "item_users_28d": 12, "item_firsts_7d": 0.5, "pair_odds": 0.75,
    }  # fmt: skip
    assert {name: bread[name] for name in expected} == pytest.approx(expected)


def test_unknown_is_null(made: dict) -> None:
    """v has no profile and no purchases, jam no brand; als alone proposed it."""
    jam = made["v", "jam"]
    for name in (
        "rank_buy_again",
        "score_buy_again",
        "pair_age",
        "brand_days",
        "user_baskets",
        "category_affinity",
        "item_price",
        "item_firsts_7d",
        "pair_odds",
    ):
        assert jam[name] is None, name
    assert (jam["pair_days"], jam["proposals"]) == (0, 1)


def test_what_happens_later_changes_nothing(spark: SparkSession, tables: tuple, made: dict) -> None:
    """Purchases on the day and after it are the future of its features."""
    later = [
        (datetime(2024, 3, 1), "u", "jam"),
        (datetime(2024, 3, 8, 9), "u", "bread"),
        (datetime(2024, 3, 8, 9), "v", "jam"),
    ]
    assert collected(tables, events(spark, *BEFORE, *later)) == made


def test_labels_by_hand(spark: SparkSession) -> None:
    """Only purchases in [day, day + 14) count, each pair once; midnight belongs to the day that begins."""
    end = datetime(2024, 3, 15)
    bought = events(
        spark, (datetime(2024, 3, 1), "u", "first"), (end - timedelta(seconds=1), "u", "last"), (end, "u", "after"),
        (datetime(2024, 2, 29, 23, 59), "u", "before"), (datetime(2024, 3, 2), "u", "first"), (datetime(2024, 3, 2),
        "v", "after"),
    )  # fmt: skip
    returned = (
        bought.limit(0).union(events(spark, (datetime(2024, 3, 3), "u", "back"))).withColumn("type", F.lit("return"))
    )
    rows = spark.createDataFrame(
        [("u", item) for item in ("first", "last", "after", "before", "back")], "user_id string, item_id string"
    )
    made = labelled(rows, bought_within(bought.union(returned), DAY, 14)).collect()
    assert len(made) == 5
    assert {row["item_id"] for row in made if row["label"] == 1} == {"first", "last"}
    assert {row["label"] for row in made} == {0, 1}
    assert bought_within(bought, DAY, 14).count() == 3


def test_columns_are_those_of_the_contracts() -> None:
    """Every column that the ranker takes from a table is in the table's contract, and no feature is named twice."""
    assert set(USER_COLUMNS) <= set(USER_PROFILES.names)
    assert set(ITEM_COLUMNS) <= set(ITEM_FEATURES.names)
    names = feature_names(SOURCES)
    assert len(set(names)) == len(names)
