"""Where each row of bronze came from: its hash, and which of the equal rows of its file it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from shoprec.cleaning.repeated import split

#: Bits of a long that may each stand for one column.
_BITS = 62


def row_hash(columns: list[str]) -> Column:
    """A 64-bit hash of ``columns``.

    Spark's hash skips nulls, so that (null, 'a') and ('a', null) would be equal: which columns are null is hashed too.
    """
    null_bits = [
        sum((F.when(F.col(f"`{c}`").isNull(), 1 << i).otherwise(0) for i, c in enumerate(group)), F.lit(0).cast("long"))
        for group in (columns[i : i + _BITS] for i in range(0, len(columns), _BITS))
    ]
    return F.xxhash64(*(F.col(f"`{c}`") for c in columns), *null_bits)


@contextmanager
def with_lineage(rows: DataFrame, ingestion_id: int) -> Iterator[DataFrame]:
    """``rows`` (source columns, ``_file``, ``_file_bytes``) with ``_ingestion_id``, ``_row`` and ``_occurrence``.

    Rows that tell their place in the file (``_row``) need no more. Others are told by a hash of what they hold; only
    those whose hash stands more than once in their file are sorted, the others are first and only occurrences.
    """
    rows = rows.withColumn("_ingestion_id", F.lit(ingestion_id).cast("long"))
    if "_row" in rows.columns:
        yield rows.withColumn("_occurrence", F.lit(1))
        return
    own = [c for c in rows.columns if c not in ("_file", "_file_bytes", "_ingestion_id")]
    with split(rows.withColumn("_row", row_hash(own)), "_file", "_row") as (single, repeated):
        yield single.withColumn("_occurrence", F.lit(1)).unionByName(_numbered(repeated, own))


def _numbered(repeated: DataFrame, own: list[str]) -> DataFrame:
    # Equal hashes of unlike rows are possible: the content decides the order among them.
    order = Window.partitionBy("_file", "_row").orderBy(F.to_json(F.struct(*(f"`{c}`" for c in own))))
    frame = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return repeated.withColumn("_occurrence", F.row_number().over(frame))
