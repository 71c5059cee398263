"""Hold a DataFrame that several readers share."""

import contextlib
from collections.abc import Callable, Iterator

from pyspark.sql import DataFrame

#: Rows that are read several times -> the same rows, which may be computed once.
Hold = Callable[[DataFrame], DataFrame]


def as_it_is(rows: DataFrame) -> DataFrame:
    """``rows`` themselves: what holds nothing."""
    return rows


def dealt(rows: DataFrame, *by: str) -> DataFrame:
    """``rows`` in as many parts as a shuffle makes, however little they hold; those of equal values in one."""
    return rows.repartition(int(rows.sparkSession.conf.get("spark.sql.shuffle.partitions")), *by)


@contextlib.contextmanager
def reused(rows: DataFrame, *by: str) -> Iterator[DataFrame]:
    """``rows``, computed once however many branches of a plan read them inside the block.

    Kept in memory and, where that is full, on the executors' disks; nothing comes to the driver.

    :param by: columns; rows of equal values come into one part, and what groups or joins by them shuffles nothing
    """
    # Left to itself, each table so held would have another number of parts.
    kept = (dealt(rows, *by) if by else rows).persist()
    try:
        yield kept
    finally:
        kept.unpersist()


@contextlib.contextmanager
def holding() -> Iterator[Hold]:
    """A function that holds what it is given, as ``reused`` does, until the block ends."""
    with contextlib.ExitStack() as stack:
        yield lambda rows: stack.enter_context(reused(rows))
