"""Moments that days begin at."""

from datetime import UTC, date, datetime, time

from pyspark.sql import Column
from pyspark.sql import functions as F


def midnight(day: date) -> Column:
    """The moment at which ``day`` begins, UTC: the first that a job no longer knows whose as-of date it is."""
    return F.lit(datetime.combine(day, time(), tzinfo=UTC))
