"""Versions of what is known of an id: made from deliveries, and looked up for a date."""

from datetime import date, datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec.cleaning.versions import attributes, in_force, valid_at, versions
from shoprec.contracts.silver import ITEMS, PRICES

SCHEMA = (
    "item_id string, valid_from timestamp, valid_to timestamp, known_at timestamp, name string, "
    "_file string, _ingestion_id long, _row long, _occurrence int"
)
LOOKUP = "item_id string, valid_from timestamp, valid_to timestamp, known_at timestamp, timeless boolean, name string"


def day(n: int) -> datetime:
    return datetime(2024, 1, n)


def made(spark: SparkSession, rows: list[tuple]) -> tuple[list[tuple], int]:
    """The versions that stand (item, from, to, name), and how many rows are duplicates."""
    full = [(i, f, t, f, name, "f", n, n, 1) for n, (i, f, t, name) in enumerate(rows, 1)]
    got = versions(spark.createDataFrame(full, SCHEMA), ["item_id"], ["name"]).collect()
    kept = [(r["item_id"], r["valid_from"], r["valid_to"], r["name"]) for r in got if not r["_duplicate"]]
    return sorted(kept, key=str), sum(r["_duplicate"] for r in got)


def test_a_row_stands_where_something_changes(spark: SparkSession) -> None:
    rows = [
        ("i1", day(1), None, "cup"),
        ("i1", day(2), None, "cup"),
        ("i1", day(3), None, "mug"),
        ("i1", day(5), None, "cup"),
        ("i2", day(2), None, "cup"),
        ("i2", day(3), None, None),
        ("i2", day(4), None, None),
    ]
    assert made(spark, rows) == (
        [
            ("i1", day(1), day(3), "cup"),
            ("i1", day(3), day(5), "mug"),
            ("i1", day(5), None, "cup"),
            ("i2", day(2), day(3), "cup"),
            ("i2", day(3), None, None),
        ],
        2,
    )


def test_of_rows_from_the_same_moment_the_last_delivered_counts(spark: SparkSession) -> None:
    rows = [("i1", day(1), None, "cup"), ("i1", day(1), None, "mug"), ("i1", day(2), None, "cup")]
    assert made(spark, rows) == ([("i1", day(1), day(2), "mug"), ("i1", day(2), None, "cup")], 1)


def test_an_end_that_the_source_tells_stands_unless_the_next_begins_before(spark: SparkSession) -> None:
    rows = [("i1", day(1), day(3), "cup"), ("i1", day(5), day(9), "mug"), ("i1", day(7), None, "pot")]
    assert made(spark, rows)[0] == [
        ("i1", day(1), day(3), "cup"),
        ("i1", day(5), day(7), "mug"),
        ("i1", day(7), None, "pot"),
    ]


def test_the_version_that_holds_on_a_date(spark: SparkSession) -> None:
    rows = [
        ("i1", day(1), day(5), day(1), False, "cup"),
        ("i1", day(5), None, day(5), False, "mug"),
        ("i2", day(9), None, day(2), False, "announced"),
        ("i3", day(1), None, day(1), False, "first told"),
        ("i3", day(1), None, day(3), False, "told later"),
        ("i4", datetime(1970, 1, 1), None, datetime(1970, 1, 1), True, "ever"),
    ]
    frame = spark.createDataFrame(rows, LOOKUP)

    def names(as_of: date) -> dict[str, str]:
        found = valid_at(frame, as_of, "item_id")
        assert found.columns == frame.columns
        return {r["item_id"]: r["name"] for r in found.collect()}

    assert names(date(2024, 1, 4)) == {"i1": "cup", "i3": "told later", "i4": "ever"}
    assert names(date(2024, 1, 5)) == {"i1": "mug", "i3": "told later", "i4": "ever"}
    assert names(date(2024, 1, 10)) == {"i1": "mug", "i2": "announced", "i3": "told later", "i4": "ever"}
    assert names(date(2000, 1, 1)) == {"i4": "ever"}


def test_a_key_may_have_several_columns(spark: SparkSession) -> None:
    schema = "item_id string, market string, valid_from timestamp, known_at timestamp, price int"
    rows = [("i1", "a", day(1), day(1), 1), ("i1", "b", day(1), day(1), 2), ("i1", "b", day(2), day(2), 3)]
    found = valid_at(spark.createDataFrame(rows, schema), date(2024, 1, 3), ["item_id", "market"])
    assert {(r["market"], r["price"]) for r in found.collect()} == {("a", 1), ("b", 3)}


def test_attributes_are_what_describes_an_id() -> None:
    assert attributes(PRICES) == ["price", "list_price"]
    assert attributes(ITEMS)[:2] == ["domain", "name"]
    assert "timeless" not in attributes(ITEMS)


def told(spark: SparkSession, rows: list[tuple[str, int, int]]) -> DataFrame:
    """Versions of one item out of (name, day valid from, day known), delivered in this order."""
    full = [("i", day(valid), None, day(known), name, "f", n, n, 1) for n, (name, valid, known) in enumerate(rows, 1)]
    return versions(spark.createDataFrame(full, SCHEMA), ["item_id"], ["name"]).where("NOT _duplicate")


def known(rows: DataFrame, by: int) -> list[str]:
    """What is said of the item on day ``by`` by what was known before it."""
    return [
        r["name"] for r in valid_at(rows.where(F.col("known_at") < day(by)), date(2024, 1, by), "item_id").collect()
    ]


def test_what_is_delivered_every_night_was_known_from_the_first(spark: SparkSession) -> None:
    (only,) = told(spark, [("cup", 1, 1), ("cup", 1, 3), ("cup", 1, 4)]).collect()
    assert only["known_at"] == day(1)


def test_a_correction_changes_nothing_for_who_asks_before_it(spark: SparkSession) -> None:
    """Pot is corrected to pan on the 4th, and back on the 7th, both from the 1st on."""
    rows = told(spark, [("pot", 1, 1), ("pan", 1, 4), ("pot", 1, 7)])
    assert [known(rows, by) for by in (1, 2, 4, 5, 7, 8)] == [[], ["pot"], ["pot"], ["pan"], ["pan"], ["pot"]]


def test_a_row_that_repeats_what_was_not_known_by_then_stands(spark: SparkSession) -> None:
    """From the 5th on it is a pan, known that day; that it was one from the 1st on is learnt on the 9th."""
    rows = told(spark, [("pot", 1, 1), ("pan", 5, 5), ("pan", 1, 9)])
    assert [known(rows, by) for by in (3, 7, 10)] == [["pot"], ["pan"], ["pan"]]
    ends = {(r["name"], r["known_at"]): r["valid_to"] for r in rows.collect()}
    assert ends == {("pot", day(1)): day(5), ("pan", day(9)): day(5), ("pan", day(5)): None}


def test_what_the_source_told_to_end_is_not_in_force_whatever_is_learnt_later(spark: SparkSession) -> None:
    rows = [
        ("open", day(1), None, day(1), "a"),
        ("ended", day(1), day(6), day(1), "b"),
        ("ends later", day(1), day(7), day(1), "c"),
        ("renamed", day(1), None, day(1), "d"),
        ("renamed", day(4), None, day(4), "e"),
        ("renamed, not known yet", day(1), None, day(1), "f"),
        ("renamed, not known yet", day(4), None, day(9), "g"),
        ("ended, back, not known yet", day(1), day(4), day(1), "h"),
        ("ended, back, not known yet", day(4), None, day(9), "i"),
        ("ended, backdated, not known yet", day(1), day(6), day(1), "j"),
        ("ended, backdated, not known yet", day(3), None, day(9), "k"),
        ("back", day(1), day(3), day(1), "l"),
        ("back", day(5), None, day(5), "m"),
        ("begins later", day(7), None, day(1), "n"),
    ]
    full = [(i, f, t, k, name, "f", n, n, 1) for n, (i, f, t, k, name) in enumerate(rows, 1)]
    standing = versions(spark.createDataFrame(full, SCHEMA), ["item_id"], ["name"]).where("NOT _duplicate")
    known = standing.where(F.col("known_at") < day(6))
    assert sorted(row["name"] for row in in_force(known, date(2024, 1, 6), "item_id").collect()) == list("acefm")
