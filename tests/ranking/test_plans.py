"""What the shop promotes in the days to come, by what it had said by then: shares of store-days by hand."""

from datetime import date, datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from shoprec.ranking.config import PLANS
from shoprec.ranking.plans import plans

AS_OF = date(2024, 3, 15)
HORIZON = 14

SCHEMA = (
    "kind string, item_id string, place string, valid_from timestamp, valid_to timestamp, known_at timestamp, "
    "display string, mailer string"
)


def ago(days: float) -> datetime:
    return datetime(2024, 3, 15) - timedelta(days=days)


def promotion(item: str, place: str, begins: int, ends: int | None, known: float, **how: str) -> tuple:
    """A promotion whose days are counted back from the as-of date: 3 is three days before it, -4 four after."""
    until = None if ends is None else ago(ends)
    return ("in_store", item, place, ago(begins), until, ago(known), how.get("display"), how.get("mailer"))


def plans_of(spark: SparkSession, *rows: tuple, periods: int = 2) -> dict[tuple[str, int], dict[str, float]]:
    made = plans(spark.createDataFrame(rows, SCHEMA), AS_OF, periods, HORIZON).collect()
    return {(row["item_id"], row["period"]): {name: row[name] for name in PLANS} for row in made}


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> dict[tuple[str, int], dict[str, float]]:
    return plans_of(
        spark,
        # Store 1 has bread in a mailer that began three days ago and ends in four, and in the next, as it has said.
        promotion("bread", "1", 3, -4, 10, mailer="A"),
        promotion("bread", "1", -4, -11, 3, mailer="A"),
        # Store 2 displays it for good, since long ago; its next mailer is told on the as-of date itself.
        promotion("bread", "2", 100, None, 100, display="9"),
        promotion("bread", "2", -4, -11, 0, mailer="A"),
        # Two weeks ago milk was in both stores' mailer of a week; a coupon is none of these.
        promotion("milk", "1", 17, 10, 24, mailer="D"),
        promotion("milk", "2", 17, 10, 24, mailer="D"),
        ("coupon", "tea", "9", ago(5), ago(-5), ago(9), None, None),
        # What ended before all that is looked at is not there.
        promotion("rye", "1", 80, 60, 90, mailer="A"),
    )


def test_what_is_to_come_is_a_share_of_the_store_days_of_the_horizon(made: dict) -> None:
    """Of two stores and 14 days, one has bread in its mailer on 11, and one displays it on all."""
    assert made["bread", 0] == pytest.approx({
        "mailer_ahead": 11 / 28, "mailer_lately": 3 / 56, "display_ahead": 14 / 28, "display_lately": 28 / 56,
    })  # fmt: skip


def test_an_earlier_day_is_told_what_was_said_by_then(made: dict) -> None:
    """Fourteen days earlier: milk's mailer runs four of its days and was known; bread's mailers were not yet.

    Store 1 had promoted milk on three days, so both stores were there.
    """
    assert made["milk", 1] == pytest.approx({
        "mailer_ahead": 8 / 28, "mailer_lately": 6 / 56, "display_ahead": 0, "display_lately": 0,
    })  # fmt: skip
    assert made["milk", 0] == pytest.approx({
        "mailer_ahead": 0, "mailer_lately": 14 / 56, "display_ahead": 0, "display_lately": 0,
    })  # fmt: skip
    assert made["bread", 1]["mailer_ahead"] == 0


def test_only_items_of_stores_are_told(made: dict) -> None:
    assert {item for item, _ in made} == {"bread", "milk"}


def test_a_day_on_which_no_store_promoted_lately_is_told_nothing(spark: SparkSession) -> None:
    """Promotions that are only to come say how much is promoted of no known number of stores."""
    assert plans_of(spark, promotion("bread", "1", -4, -11, 3, mailer="A")) == {}


def test_periods_without_a_store_have_no_row(spark: SparkSession) -> None:
    """The store's first mailer was known after the earlier day and ran before the later one."""
    assert set(plans_of(spark, promotion("bread", "1", 7, 0, 10, mailer="A"))) == {("bread", 0)}


def test_a_share_is_never_more_than_all(spark: SparkSession) -> None:
    """A display without an end is renewed before the old one is closed, and three stores are to open."""
    shown = [promotion("bread", "1", begins, None, 100, display="9") for begins in (100, 90)]
    opening = [promotion("milk", store, -2, -14, 3, mailer="A") for store in "234"]
    made = plans_of(spark, *shown, *opening)
    assert made["bread", 0] == {"mailer_ahead": 0, "mailer_lately": 0, "display_ahead": 1, "display_lately": 1}
    assert made["milk", 0]["mailer_ahead"] == 1


def test_a_store_that_promotes_nothing_is_none(spark: SparkSession) -> None:
    made = plans_of(spark, promotion("bread", "1", 28, 0, 40, mailer="A"), promotion("bread", "2", 28, 0, 40))
    assert made["bread", 0]["mailer_lately"] == 1


def test_nothing_promoted_is_no_row(spark: SparkSession) -> None:
    assert plans_of(spark) == {}
