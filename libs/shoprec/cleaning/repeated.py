"""Rows whose key stands once, apart from those whose key stands more often: the common case passes without a sort."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.hashes import repeated
from shoprec.reuse import reused, shuffle_parts

#: Names of the columns that order deliveries, first to last.
DELIVERY: tuple[str, ...] = ("_ingestion_id", "_file", "_row", "_occurrence")

_HASH = "_key_hash"

#: Most repeated hashes that are sent to every task: 40 MB of them.
_SENT = 5_000_000


@contextmanager
def split(rows: DataFrame, *keys: str) -> Iterator[tuple[DataFrame, DataFrame]]:
    """``rows`` in two: those whose ``keys`` no other row shares, and the rest. Use both within the ``with`` block.

    A key is taken for repeated when its 64-bit hash is; so a few single keys may fall among the rest, never the other
    way. Only hashes are shuffled to find them, once; those that repeat (8 bytes each) are kept for the length of the
    block and, while they are few, as in clean data, sent to all tasks; else the rows are shuffled to them.
    """
    hashed = rows.withColumn(_HASH, F.xxhash64(*keys))
    parts = 4 * shuffle_parts(rows.sparkSession)
    with reused(repeated(hashed.select(_HASH), parts)) as several:
        found = F.broadcast(several) if several.count() <= _SENT else several.hint("shuffle_hash")
        single = hashed.join(found, on=_HASH, how="left_anti").drop(_HASH)
        rest = hashed.join(found, on=_HASH, how="left_semi").drop(_HASH)
        yield single, rest
