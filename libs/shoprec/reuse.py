"""Hold a DataFrame that several readers share, and deal rows out as a shuffle does."""

import contextlib
from collections.abc import Callable, Iterator

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

#: Parts of a shuffle where the platform chooses them for each (``auto``): as many as Spark has unless told.
_PARTS = 200

#: Rows that are read several times -> the same rows, which may be computed once.
Hold = Callable[[DataFrame], DataFrame]


def as_it_is(rows: DataFrame) -> DataFrame:
    """``rows`` themselves: what holds nothing."""
    return rows


def shuffle_parts(spark: SparkSession) -> int:
    """How many parts a shuffle makes."""
    told = spark.conf.get("spark.sql.shuffle.partitions")
    return int(told) if told.isdecimal() else _PARTS


def dealt(rows: DataFrame, *by: str, least: int = 1) -> DataFrame:
    """``rows`` in as many parts as a shuffle makes, however little they hold, or ``least``, where these are more; those
    of equal values in one."""
    return rows.repartition(max(least, shuffle_parts(rows.sparkSession)), *by)


@contextlib.contextmanager
def reused(rows: DataFrame, *by: str) -> Iterator[DataFrame]:
    """``rows``, computed once however many branches of a plan read them inside the block.

    Kept in memory and, where that is full, on the executors' disks; nothing comes to the driver.

    :param by: columns; rows of equal values come into one part, and what groups or joins by them shuffles nothing
    """
    # Left to itself, each table so held would have another number of parts.
    with _kept(dealt(rows, *by) if by else rows, StorageLevel.MEMORY_AND_DISK_DESER) as kept:
        yield kept


@contextlib.contextmanager
def on_disk(rows: DataFrame) -> Iterator[DataFrame]:
    """As ``reused``, on the executors' disks alone: for many rows beside which training needs the memory."""
    with _kept(rows, StorageLevel.DISK_ONLY) as kept:
        yield kept


@contextlib.contextmanager
def _kept(rows: DataFrame, level: StorageLevel) -> Iterator[DataFrame]:
    kept = rows.persist(level)
    try:
        yield kept
    finally:
        kept.unpersist()


@contextlib.contextmanager
def holding() -> Iterator[Hold]:
    """A function that holds what it is given, as ``reused`` does, until the block ends."""
    with contextlib.ExitStack() as stack:
        yield lambda rows: stack.enter_context(reused(rows))
