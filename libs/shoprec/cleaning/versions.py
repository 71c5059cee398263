"""Versions of what is known of an id over time: made from deliveries, and looked up for a date."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from shoprec.cleaning.repeated import DELIVERY
from shoprec.contracts import Table
from shoprec.moments import midnight
from shoprec.reuse import reused

#: From when on, and since when known, an attribute without history is held to be.
EVER = datetime(1970, 1, 1, tzinfo=UTC)


def valid_at(df: DataFrame, as_of: date, key: str | Sequence[str]) -> DataFrame:
    """The version of each ``key`` that holds at midnight UTC at the start of ``as_of``: one row a key.

    Of the versions with ``valid_from`` before or at that moment the latest counts; of those with equal ``valid_from``
    the one known last. A version that was ended before (``valid_to``) by no later one is still the latest known and
    counts too. Keys without a version by then are absent. What was not known by then must be left out before, as
    ``JobContext.read`` does; timeless rows hold at any date.
    """
    keys = [key] if isinstance(key, str) else list(key)
    began = F.col("valid_from") <= midnight(as_of)
    if "timeless" in df.columns:
        began = began | F.col("timeless")
    rest = [c for c in df.columns if c not in keys]
    order = F.struct("valid_from", "known_at", F.xxhash64(*rest))
    latest = df.where(began).groupBy(*keys).agg(F.max_by(F.struct(*rest), order).alias("_latest"))
    return latest.select(*keys, "_latest.*").select(*df.columns)


def in_force(known: DataFrame, as_of: date, key: str) -> DataFrame:
    """The rows of :func:`valid_at` but those that the source had told (``ended_at``) to end by that midnight."""
    latest = valid_at(known, as_of, key)
    return latest.where(F.col("ended_at").isNull() | (F.col("ended_at") > midnight(as_of)))


def attributes(table: Table) -> list[str]:
    """The columns of ``table`` that describe its id, apart from key and validity."""
    apart = {*table.key, "valid_from", "valid_to", "ended_at", "known_at", "timeless"}
    return [name for name in table.names if name not in apart]


@contextmanager
def standing_versions(rows: DataFrame, table: Table) -> Iterator[DataFrame]:
    """The rows that stand in a ``table`` of versions (see :func:`versions`), held for the length of the block."""
    keys = [name for name in table.key if name not in ("valid_from", "known_at")]
    with reused(versions(rows, keys, attributes(table)).where("NOT _duplicate")) as standing:
        yield standing


def versions(rows: DataFrame, keys: Sequence[str], attributes: Sequence[str]) -> DataFrame:
    """Accepted ``rows`` with ``valid_to``, the end that the source told as ``ended_at``, and ``_duplicate``.

    A row stands only where its ``attributes`` change, or the end that was told.

    Of rows with equal key, ``valid_from`` and ``known_at`` the last delivered counts. One of equal ``valid_from`` that
    was known later is a correction: both stand, each for who asks when (see :func:`valid_at`), and what is sent again
    unchanged every night was known from the first. A row that repeats the attributes of the one before it, which was
    known by then, is a duplicate. A version ends where the next begins, unless the source told an earlier end.
    """
    same_time = Window.partitionBy(*keys, "valid_from", "known_at").orderBy(*(F.desc(name) for name in DELIVERY))
    in_time = Window.partitionBy(*keys).orderBy("valid_from", "known_at")
    content = F.struct(*attributes, "valid_to")
    first = rows.withColumn("_again", F.row_number().over(_running(same_time)) > 1)
    again, once = first.where("_again"), first.where("NOT _again")
    repeats = F.lag(content).over(in_time).eqNullSafe(content) & (F.lag("known_at").over(in_time) <= F.col("known_at"))
    once = once.withColumn("_again", F.coalesce(repeats, F.lit(False)))
    marked = once.unionByName(again).withColumnRenamed("_again", "_duplicate")
    standing = Window.partitionBy(*keys, "_duplicate").orderBy(F.unix_micros("valid_from"))
    following = F.min("valid_from").over(standing.rangeBetween(1, Window.unboundedFollowing))
    return marked.withColumns({"ended_at": F.col("valid_to"), "valid_to": F.least("valid_to", following)})


def _running(window: Window) -> Window:
    return window.rowsBetween(Window.unboundedPreceding, Window.currentRow)
