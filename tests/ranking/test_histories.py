"""Histories: a pair's days, and what was known of them on earlier days."""

from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from shoprec.ranking.histories import ENTRY, Days, Past, bought, histories, past

AS_OF = date(2024, 3, 1)
EVENTS = (
    "event_at timestamp, known_at timestamp, superseded_at timestamp, type string, user_id string, item_id string, "
    "quantity int, amount decimal(18,2), discount decimal(18,2)"
)


def packed_days(*pairs: list[dict[str, float]]) -> pa.Array:
    """The column ``days`` of pairs, each with the entries that are told of it."""
    entries = [np.array([[entry[name] for name in ENTRY] for entry in pair], np.float64) for pair in pairs]
    return pa.array([told.tobytes() for told in entries], pa.binary())


def unpacked_days(row: Row) -> list[tuple[float, ...]]:
    """The entries of a row of ``histories``."""
    return [tuple(entry) for entry in np.frombuffer(row["days"], np.float64).reshape(-1, len(ENTRY))]


def day(age: int, known: int | None = None, until: int = 0) -> dict[str, float]:
    """A day on which n units were bought for 2 n, n being its age; known at once if not told otherwise."""
    known = age if known is None else known
    return {"age": age, "known": known, "until": until, "units": age, "paid": 2 * age, "priced": age, "saved": 0}


def days_of(*pairs: list[dict[str, float]]) -> Days:
    return Days.of(pa.chunked_array([packed_days(*pairs)]))


def purchase(at: datetime, known: datetime, item: str, units: int, paid: str | None, until: datetime | None = None,
             saved: str | None = None, kind: str = "purchase") -> tuple:  # fmt: skip
    money = [None if value is None else Decimal(value) for value in (paid, saved)]
    return (at, known, until, kind, "u", item, units, *money)


def test_days_by_hand(spark: SparkSession) -> None:
    """Two baskets of one day are one day's; later days and other types are none of it."""
    feb = lambda d, hour=0: datetime(2024, 2, d, hour)  # noqa: E731
    rows = [
        purchase(feb(28, 9), feb(28, 9), "bread", 1, "2.50", saved="0.50"),
        purchase(feb(28, 18), feb(28, 18), "bread", 2, None),
        purchase(feb(8), feb(25), "bread", 1, "3.00"),
        purchase(feb(20), feb(20), "bread", 1, None, kind="view"),
        purchase(feb(20), feb(20), "bread", -1, "-2.50", kind="return"),
        purchase(datetime(2024, 3, 1), datetime(2024, 3, 1), "bread", 9, "9.00"),
        purchase(feb(29), datetime(2024, 3, 1), "milk", 1, "1.00"),
    ]
    (made,) = histories(spark.createDataFrame(rows, EVENTS), AS_OF).collect()
    assert (made["user_id"], made["item_id"]) == ("u", "bread")
    assert unpacked_days(made) == [(2, 2, 0, 3, 2.5, 1, 0.5), (22, 5, 0, 1, 3, 1, 0)]


def test_lines_of_a_day_are_added_up_wherever_batches_cut_them(spark: SparkSession) -> None:
    """Ten lines of 10 cents are a euro, and three pairs stay three, two lines a batch."""
    at = datetime(2024, 2, 28, 9)
    rows = [purchase(at, at, item, 1, "0.10", saved="0.20") for item in ("bread", "milk", "tea") for _ in range(10)]
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "2")
    try:
        made = histories(spark.createDataFrame(rows, EVENTS).repartition(5), AS_OF).collect()
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    assert sorted(row["item_id"] for row in made) == ["bread", "milk", "tea"]
    assert all(unpacked_days(row) == [(2, 2, 0, 10, 1.0, 10, 2.0)] for row in made)


def test_a_correction_is_known_from_its_day_on_and_what_it_corrects_until_then(spark: SparkSession) -> None:
    """Bread of 40 days ago is corrected 3 days ago, to two units; tea, corrected on the as-of date, not yet."""
    corrected, today = datetime(2024, 2, 27), datetime(2024, 3, 1)
    bought = datetime(2024, 1, 21)
    rows = [
        purchase(bought, bought, "bread", 1, "2.00", until=corrected),
        purchase(bought, corrected, "bread", 2, "4.00"),
        purchase(bought, bought, "tea", 1, "5.00", until=today),
        purchase(bought, today, "tea", 7, "9.00"),
    ]
    told = histories(spark.createDataFrame(rows, EVENTS), AS_OF)
    for back, units in ((0, 2), (3, 1), (14, 1)):
        made = {row["item_id"]: row for row in bought_then(told, back)}
        assert (made["bread"]["units"], made["bread"]["pair_days"]) == (units, 1)
        assert made["bread"]["pair_age"] == 40 - back
        assert made["tea"]["units"] == 1


def bought_then(told: DataFrame, back: int) -> list[Row]:
    return bought(told, back, 20.0).collect()


def test_as_of_today_all_days_are_there() -> None:
    then = past(days_of([day(3), day(13)], [day(5)]), 0, 14)
    assert then.row_P.tolist() == [0, 1]
    assert then.days_P.tolist() == [2, 1]
    assert then.latest_P.tolist() == [3, 5]
    assert then.first_P.tolist() == [13, 5]
    assert then.total(then.units_D).tolist() == [16, 5]
    np.testing.assert_array_equal(then.gap_D, [10, np.nan, np.nan])


def test_an_earlier_day_sees_what_was_known_then() -> None:
    """Ten days back: ages are counted from there; a purchase told late is not seen, but was bought."""
    told = days_of([day(3), day(13), day(40)], [day(5)], [day(12, known=9)], [day(11), day(15, known=8)])
    then = past(told, 10, 14)
    assert then.row_P.tolist() == [0, 3]
    assert then.age_D.tolist() == [3, 30, 1]
    assert then.again_P.tolist() == [True, False]
    assert then.each(np.array([7.0, 8.0])).tolist() == [7, 7, 8]


@pytest.mark.parametrize(("age", "back", "again"), [(14, 14, True), (15, 14, False), (1, 14, True), (1, 28, False),
                                                    (15, 28, True)])  # fmt: skip
def test_what_follows_is_the_horizon_and_no_more(age: int, back: int, again: bool) -> None:
    then = past(days_of([day(age), day(50)]), back, 14)
    assert then.again_P.tolist() == [again]


def test_entries_of_one_day_are_one_day() -> None:
    """Of a day with two entries, one known later, an earlier day sees one, today both together; a superseded one is
    seen until then, and is no purchase that followed."""
    told = days_of([day(20, known=20), day(20, known=12), day(30)], [day(16, until=2), day(40)])
    today, then = past(told, 0, 14), past(told, 14, 14)
    assert today.age_D.tolist() == [20, 30, 40]
    assert today.units_D.tolist() == [40, 30, 40]
    assert then.age_D.tolist() == [6, 16, 2, 26]
    assert then.units_D.tolist() == [20, 30, 16, 40]
    assert past(days_of([day(5, until=1), day(40)]), 14, 14).again_P.tolist() == [False]


def test_slices_and_chunks_are_the_same_as_whole() -> None:
    """Arrow hands parts of longer arrays over; their offsets do not begin at nought."""
    whole = packed_days([day(9)], [day(3), day(13)], [day(5)])
    part = past(Days.of(pa.chunked_array([whole.slice(1, 1), whole.slice(2, 1)])), 0, 14)
    assert part.age_D.tolist() == [3, 13, 5]
    assert part.days_P.tolist() == [2, 1]
    alone = past(Days.of(pa.chunked_array([whole.slice(1, 2)])), 0, 14)
    assert alone.age_D.tolist() == [3, 13, 5]


def test_pairs_that_are_not_wanted_are_not_seen_and_the_others_keep_their_numbers() -> None:
    told = days_of([day(3)], [day(5)], [day(7)]).where(np.array([True, False, True]))
    then = past(told, 0, 14)
    assert then.row_P.tolist() == [0, 2]
    assert then.age_D.tolist() == [3, 7]


def test_nothing_known_then() -> None:
    then: Past = past(days_of([day(3)]), 10, 14)
    assert len(then.row_P) == len(then.total(then.units_D)) == len(then.gap_D) == 0


def test_sums_of_pairs_by_hand(spark: SparkSession) -> None:
    """Bread 2 and 22 days ago, of which 14 days ago the second was 8 days old; milk was not bought by then."""
    rows = [purchase(datetime(2024, 2, d), datetime(2024, 2, d), item, 2, "3.00")
            for d, item in ((28, "bread"), (8, "bread"), (20, "milk"))]  # fmt: skip
    told = histories(spark.createDataFrame(rows, EVENTS), AS_OF)
    now, then = ({row["item_id"]: row.asDict() for row in bought(told, back, 20.0).collect()} for back in (0, 14))
    assert now["bread"] == {
        "user_id": "u", "item_id": "bread", "pair_days": 2, "pair_decayed": pytest.approx(0.5**0.1 + 0.5**1.1),
        "pair_age": 2, "pair_first_age": 22, "units": 4, "paid": 6,
    }  # fmt: skip
    assert set(now) == {"bread", "milk"}
    assert set(then) == {"bread"}
    assert (then["bread"]["pair_age"], then["bread"]["pair_days"], then["bread"]["paid"]) == (8, 1, 3)
