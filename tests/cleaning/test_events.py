"""Versions of events: duplicates, deliveries that come again, corrections, and the months that they touch."""

from datetime import datetime

from pyspark.sql import DataFrame, SparkSession

from shoprec.cleaning.events import touched_months, versions_of_events
from shoprec.cleaning.repeated import split

SCHEMA = (
    "event_key string, event_at timestamp, known_at timestamp, quantity int, _dataset string, _file string, "
    "_ingestion_id long, _row long, _occurrence int"
)


def at(day: int, month: int = 1) -> datetime:
    return datetime(2024, month, day)


def row(
    key: str, event: datetime, known: datetime, quantity: int, delivered: tuple[int, str, int] = (1, "f1", 1)
) -> tuple:
    ingestion, file, occurrence = delivered
    return (key, event, known, quantity, "sales", file, ingestion, hash((key, quantity)) & 0xFFFF, occurrence)


def versions(spark: SparkSession, rows: list[tuple]) -> list[dict]:
    with split(spark.createDataFrame(rows, SCHEMA), "event_key") as parts:
        return [r.asDict() for r in versions_of_events(*parts).collect()]


def standing(rows: list[dict]) -> list[tuple]:
    kept = [(r["event_key"], r["quantity"], r["known_at"], r["superseded_at"]) for r in rows if not r["_duplicate"]]
    return sorted(kept, key=str)


def test_a_single_delivery_stands(spark: SparkSession) -> None:
    (only,) = versions(spark, [row("a", at(31), at(31), 1)])
    assert (only["_duplicate"], only["superseded_at"], only["month"]) == (False, None, "2024-01")


def test_equal_rows_of_a_file_and_deliveries_that_come_again_are_one(spark: SparkSession) -> None:
    deliveries = [(1, "f1", 1), (1, "f1", 2), (2, "f2", 1)]
    rows = versions(spark, [row("a", at(1), at(2), 1, d) for d in deliveries])
    assert len(rows) == 3
    assert standing(rows) == [("a", 1, at(2), None)]


def test_of_unlike_deliveries_known_at_the_same_moment_the_last_counts(spark: SparkSession) -> None:
    deliveries = {(1, "f9", 1): 1, (2, "f1", 1): 2, (2, "f2", 1): 3}
    rows = versions(spark, [row("a", at(1), at(2), q, d) for d, q in deliveries.items()])
    assert standing(rows) == [("a", 3, at(2), None)]


def test_a_correction_supersedes_from_when_it_was_known(spark: SparkSession) -> None:
    rows = [row("a", at(1), at(k), q) for k, q in ((2, 1), (9, 3), (5, 2))] + [row("b", at(1), at(2), 7)]
    assert standing(versions(spark, rows)) == [
        ("a", 1, at(2), at(5)),
        ("a", 2, at(5), at(9)),
        ("a", 3, at(9), None),
        ("b", 7, at(2), None),
    ]


def test_a_corrected_event_that_was_delivered_twice(spark: SparkSession) -> None:
    rows = [row("a", at(1), at(2), 1), row("a", at(1), at(2), 1, (1, "f2", 1)), row("a", at(1), at(3), 2, (2, "f3", 1))]
    assert standing(versions(spark, rows)) == [("a", 1, at(2), at(3)), ("a", 2, at(3), None)]


def test_every_version_has_an_id_of_its_own_that_does_not_depend_on_its_delivery(spark: SparkSession) -> None:
    first = [row("a", at(1), at(2), 1), row("a", at(1), at(3), 1), row("b", at(1), at(2), 1)]
    ids = {r["event_id"] for r in versions(spark, first)}
    assert len(ids) == 3
    again = [row("a", at(1), at(2), 1, (5, "f7", 1))]
    assert {r["event_id"] for r in versions(spark, again)} < ids


def months(spark: SparkSession, rows: list[tuple], taken_in: list[tuple]) -> set[str]:
    with split(spark.createDataFrame(rows, SCHEMA), "event_key") as parts:
        events: DataFrame = versions_of_events(*parts)
        known = spark.createDataFrame(taken_in, "_dataset string, _taken_in long")
        return {r["month"] for r in touched_months(events, known).collect()}


def test_new_rows_touch_the_months_of_all_versions_of_their_events(spark: SparkSession) -> None:
    rows = [
        row("old", at(1, 1), at(2, 1), 1),
        row("moved", at(1, 2), at(2, 2), 1),
        row("moved", at(1, 3), at(2, 5), 1, (2, "f2", 1)),
        row("new", at(1, 4), at(2, 4), 1, (2, "f2", 1)),
    ]
    assert months(spark, rows, [("sales", 1)]) == {"2024-02", "2024-03", "2024-04"}
    assert months(spark, rows, [("sales", 2)]) == set()
    assert months(spark, rows, [("other", 1)]) == {"2024-01", "2024-02", "2024-03", "2024-04"}


def test_a_delivery_that_no_longer_counts_touches_the_month_it_stood_in(spark: SparkSession) -> None:
    """The same version delivered again with another date: the month of the first delivery loses its row."""
    rows = [row("a", at(1, 2), at(2, 5), 1), row("a", at(1, 3), at(2, 5), 1, (2, "f2", 1))]
    assert months(spark, rows, [("sales", 1)]) == {"2024-02", "2024-03"}
