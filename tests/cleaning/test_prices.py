"""Prices out of purchases."""

from datetime import datetime, timedelta
from decimal import Decimal

from pyspark.sql import SparkSession

from shoprec.cleaning.prices import prices_from_purchases

SCHEMA = (
    "item_id string, market string, type string, event_at timestamp, known_at timestamp, superseded_at timestamp, "
    "quantity decimal(18,3), amount decimal(18,2), discount decimal(18,2), coupon_discount decimal(18,2)"
)
#: A Monday.
FIRST = datetime(2024, 1, 1)


def line(day: int, amount: str, quantity: str = "1", **more: object) -> tuple:
    told = {
        "item_id": "i1", "market": "eu", "type": "purchase",
        "event_at": FIRST + timedelta(day, hours=12), "known_at": None, "superseded_at": None,
        "quantity": Decimal(quantity), "amount": amount and Decimal(amount), "discount": None, "coupon_discount": None,
        **more,
    }  # fmt: skip
    told["known_at"] = told["known_at"] or told["event_at"]
    return tuple(told.values())


def made(spark: SparkSession, rows: list[tuple], zone: str = "UTC", lag: timedelta = timedelta()) -> list[tuple]:
    got = prices_from_purchases(spark.createDataFrame(rows, SCHEMA), zone, lag).collect()
    told = [
        (
            r["item_id"],
            r["market"],
            r["valid_from"],
            r["valid_to"],
            r["known_at"],
            str(r["price"]),
            str(r["list_price"]),
        )
        for r in got
    ]
    return sorted(told, key=str)


def week(n: int) -> datetime:
    return FIRST + timedelta(weeks=n)


def test_the_median_unit_price_before_coupons_and_before_all_discounts(spark: SparkSession) -> None:
    rows = [
        line(0, "4.00", "2"),
        line(1, "3.00"),
        line(2, "6.00", "2", coupon_discount=Decimal(2), discount=Decimal("4.00")),
        line(3, "100.00", type="return"),
        line(3, None),
        line(3, "50.00", type="cart"),
    ]
    assert made(spark, rows) == [("i1", "eu", week(0), None, week(1), "3.00", "3.00")]
    # Unit prices 2, 3 and (6 + 2) / 2 = 4; before the discount 2, 3 and (6 + 2 + 4) / 2 = 6.
    assert made(spark, rows[1:3]) == [("i1", "eu", week(0), None, week(1), "3.50", "4.50")]


def test_a_row_stands_for_a_change_and_ends_where_the_next_begins(spark: SparkSession) -> None:
    rows = [line(0, "2.00"), line(7, "2.00"), line(28, "3.00"), line(35, "2.00"), line(35, "2.00", market="us")]
    assert made(spark, rows) == [
        ("i1", "eu", week(0), week(4), week(1), "2.00", "2.00"),
        ("i1", "eu", week(4), week(5), week(5), "3.00", "3.00"),
        ("i1", "eu", week(5), None, week(6), "2.00", "2.00"),
        ("i1", "us", week(5), None, week(6), "2.00", "2.00"),
    ]


def test_what_was_known_after_the_week_changes_nothing(spark: SparkSession) -> None:
    late = week(1) + timedelta(hours=1)
    rows = [line(0, "2.00"), line(1, "9.00", known_at=late), line(2, "4.00", superseded_at=late)]
    assert made(spark, rows)[0][5] == "3.00"
    rows[2] = line(2, "4.00", superseded_at=week(1) - timedelta(hours=1))
    assert made(spark, rows)[0][5] == "2.00"
    waited = made(spark, rows, lag=timedelta(hours=2))
    assert waited[0][4:6] == (week(1) + timedelta(hours=2), "5.50")


def test_weeks_begin_on_monday_at_midnight_of_the_shop(spark: SparkSession) -> None:
    """New York is 5 hours behind: 04:59 UTC on Monday is still Sunday."""
    before = line(0, "2.00", event_at=FIRST + timedelta(hours=4, minutes=59))
    after = line(0, "3.00", event_at=FIRST + timedelta(hours=5))
    got = made(spark, [before, after], "America/New_York")
    assert [r[2] for r in got] == [FIRST - timedelta(7) + timedelta(hours=5), FIRST + timedelta(hours=5)]


def test_the_week_in_which_clocks_change_ends_at_local_midnight(spark: SparkSession) -> None:
    """2024-03-10: New York goes from 5 to 4 hours behind UTC."""
    (only,) = made(spark, [line(0, "2.00", event_at=datetime(2024, 3, 6, 12))], "America/New_York")
    assert (only[2], only[4]) == (datetime(2024, 3, 4, 5), datetime(2024, 3, 11, 4))
