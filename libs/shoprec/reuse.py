"""Hold a DataFrame that several readers share."""

import contextlib
from collections.abc import Iterator

from pyspark.sql import DataFrame


@contextlib.contextmanager
def reused(rows: DataFrame) -> Iterator[DataFrame]:
    """``rows``, computed once however many branches of a plan read them inside the block.

    Kept in memory and, where that is full, on the executors' disks; nothing comes to the driver.
    """
    kept = rows.persist()
    try:
        yield kept
    finally:
        kept.unpersist()
