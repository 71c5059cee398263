"""Histories: a pair's days, and what was known of them on earlier days."""

from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from shoprec.ranking.histories import Past, bought, histories, past

AS_OF = date(2024, 3, 1)
EVENTS = (
    "event_at timestamp, known_at timestamp, type string, user_id string, item_id string, quantity int, amount double, "
    "discount double"
)
DAYS = pa.list_(
    pa.struct([("age", pa.int32()), ("known", pa.int32()), *((n, pa.float64()) for n in ("units", "paid", "saved"))])
)


def days_of(*pairs: list[tuple[int, int]]) -> pa.ChunkedArray:
    """Pairs by (age, known) of their days; n days ago n units were bought for 2 n."""
    rows = [
        [{"age": age, "known": known, "units": age, "paid": 2 * age, "saved": 0} for age, known in pair]
        for pair in pairs
    ]
    return pa.chunked_array([pa.array(rows, DAYS)])


def test_days_by_hand(spark: SparkSession) -> None:
    """Two baskets of one day are one day; later days, other types and other users' days are none of it."""
    late = datetime(2024, 2, 25)
    rows = [
        (datetime(2024, 2, 28, 9), datetime(2024, 2, 28, 9), "purchase", "u", "bread", 1, 2.5, 0.5),
        (datetime(2024, 2, 28, 18), datetime(2024, 2, 29, 1), "purchase", "u", "bread", 2, 5.0, None),
        (datetime(2024, 2, 8), late, "purchase", "u", "bread", 1, None, None),
        (datetime(2024, 2, 20), datetime(2024, 2, 20), "view", "u", "bread", 1, None, None),
        (datetime(2024, 2, 20), datetime(2024, 2, 20), "return", "u", "bread", -1, -2.5, None),
        (datetime(2024, 3, 1), datetime(2024, 3, 1), "purchase", "u", "bread", 9, 9.0, 9.0),
        (datetime(2024, 2, 29), datetime(2024, 2, 29), "purchase", "v", "bread", 1, 1.0, 0.0),
    ]
    made = {(row["user_id"], row["item_id"]): row["days"] for row in
            histories(spark.createDataFrame(rows, EVENTS), AS_OF).collect()}  # fmt: skip
    assert [tuple(day) for day in made["u", "bread"]] == [(2, 1, 3.0, 7.5, 0.5), (22, 5, 1.0, 0.0, 0.0)]
    assert [tuple(day) for day in made["v", "bread"]] == [(1, 1, 1.0, 1.0, 0.0)]
    assert len(made) == 2


def test_as_of_today_all_days_are_there() -> None:
    then = past(days_of([(3, 3), (13, 13)], [(5, 5)]), 0, 14)
    assert then.row_P.tolist() == [0, 1]
    assert then.days_P.tolist() == [2, 1]
    assert then.latest_P.tolist() == [3, 5]
    assert then.first_P.tolist() == [13, 5]
    assert then.total(then.units_D).tolist() == [16, 5]
    np.testing.assert_array_equal(then.gap_D, [10, np.nan, np.nan])


def test_an_earlier_day_sees_what_was_known_then() -> None:
    """Ten days back: ages are counted from there; a purchase told late is not seen, but was bought."""
    then = past(days_of([(3, 3), (13, 13), (40, 40)], [(5, 5)], [(12, 9)], [(11, 11), (15, 8)]), 10, 14)
    assert then.row_P.tolist() == [0, 3]
    assert then.age_D.tolist() == [3, 30, 1]
    assert then.again_P.tolist() == [True, False]
    assert then.each(np.array([7.0, 8.0])).tolist() == [7, 7, 8]


@pytest.mark.parametrize(("age", "back", "again"), [(14, 14, True), (15, 14, False), (1, 14, True), (1, 28, False),
                                                    (15, 28, True)])  # fmt: skip
def test_what_follows_is_the_horizon_and_no_more(age: int, back: int, again: bool) -> None:
    then = past(days_of([(age, age), (50, 50)]), back, 14)
    assert then.again_P.tolist() == [again]


def test_slices_and_chunks_are_the_same_as_whole() -> None:
    """Arrow hands parts of longer arrays over; their offsets do not begin at nought."""
    whole = days_of([(9, 9)], [(3, 3), (13, 13)], [(5, 5)])
    part = past(pa.chunked_array([whole.chunk(0).slice(1, 1), whole.chunk(0).slice(2, 1)]), 0, 14)
    assert part.age_D.tolist() == [3, 13, 5]
    assert part.days_P.tolist() == [2, 1]


def test_nothing_known_then() -> None:
    then: Past = past(days_of([(3, 3)]), 10, 14)
    assert len(then.row_P) == len(then.total(then.units_D)) == len(then.gap_D) == 0


def test_sums_of_pairs_by_hand(spark: SparkSession) -> None:
    """Bread 2 and 22 days ago, of which 14 days ago the second was 8 days old; milk was not bought by then."""
    rows = [(datetime(2024, 2, day), datetime(2024, 2, day), "purchase", "u", item, 2, 3.0, 0.0)
            for day, item in ((28, "bread"), (8, "bread"), (20, "milk"))]  # fmt: skip
    told = histories(spark.createDataFrame(rows, EVENTS), AS_OF)
    now, then = ({row["item_id"]: row.asDict() for row in bought(told, back, 20.0).collect()} for back in (0, 14))
    assert now["bread"] == {
        "user_id": "u", "item_id": "bread", "pair_days": 2, "pair_decayed": pytest.approx(0.5**0.1 + 0.5**1.1),
        "pair_age": 2, "pair_first_age": 22, "units": 4, "paid": 6,
    }  # fmt: skip
    assert set(now) == {"bread", "milk"}
    assert set(then) == {"bread"}
    assert (then["bread"]["pair_age"], then["bread"]["pair_days"], then["bread"]["paid"]) == (8, 1, 3)
