"""Moments that days begin at, and the days between moments."""

from datetime import UTC, date, datetime, time

from pyspark.sql import Column
from pyspark.sql import functions as F

MICROS_A_DAY = 86_400_000_000


def midnight(day: date) -> Column:
    """The moment at which ``day`` begins, UTC: the first that a job no longer knows whose as-of date it is."""
    return F.lit(datetime.combine(day, time(), tzinfo=UTC))


def days_between(start: Column | str, end: Column | str) -> Column:
    """Days from one timestamp to another, with fraction."""
    return (F.unix_micros(end) - F.unix_micros(start)) / F.lit(float(MICROS_A_DAY))
