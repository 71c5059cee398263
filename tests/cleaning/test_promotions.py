"""Promotions: one row for each key."""

from datetime import datetime

from pyspark.sql import SparkSession

from shoprec.cleaning.promotions import promotions

SCHEMA = (
    "kind string, item_id string, place string, valid_from timestamp, valid_to timestamp, known_at timestamp, "
    "display string, mailer string, _dataset string"
)


def day(n: int) -> datetime:
    return datetime(2024, 1, n)


def test_a_key_that_stands_twice_loses_nothing_and_is_known_when_all_of_it_is(spark: SparkSession) -> None:
    rows = [
        ("in_store", "i1", "s1", day(1), day(8), day(1), "3", None, "d"),
        ("in_store", "i1", "s2", day(1), day(8), day(2), None, "A", "d"),
        ("in_store", "i1", "s2", day(1), day(9), day(1), "5", None, "d"),
        ("in_store", "i1", "s2", day(1), day(8), day(3), "4", None, "d"),
        ("in_store", "i1", "s2", day(8), day(15), day(8), None, None, "d"),
    ]
    with promotions(spark.createDataFrame(rows, SCHEMA)) as kept:
        got = {(r["place"], r["valid_from"]): r for r in kept.collect()}
    assert len(got) == 3
    both = got["s2", day(1)]
    assert (both["display"], both["mailer"], both["valid_to"], both["known_at"]) == ("5", "A", day(9), day(3))
    assert got["s1", day(1)]["display"] == "3"


def test_what_is_sent_again_every_night_was_known_from_the_first(spark: SparkSession) -> None:
    rows = [("in_store", "i1", "s1", day(1), day(8), day(k), "3", None, "d") for k in (3, 1, 2)]
    with promotions(spark.createDataFrame(rows, SCHEMA)) as kept:
        (only,) = kept.collect()
    assert only["known_at"] == day(1)
