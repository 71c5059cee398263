"""Which hashes of keys repeat: each part of the rows sorts its own in NumPy.

Nearly every hash is a group of its own, and a map of millions of groups takes Spark twice the time of this sort. A task
holds 16 bytes for each of its rows.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame


def repeated(hashes: DataFrame, parts: int) -> DataFrame:
    """The hashes that stand more than once, each once.

    :param hashes: one column of long; it keeps its name
    :param parts: tasks that they are dealt to
    """
    name = hashes.columns[0]

    def find(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        found = _sorted([batch.column(0).to_numpy() for batch in batches])
        again = found[1:][found[1:] == found[:-1]]
        # Equal neighbours of what repeats once more are said once.
        once = again[np.r_[True, again[1:] != again[:-1]]] if len(again) else again
        yield pa.record_batch([pa.array(once)], names=[name])

    return hashes.repartition(parts, name).mapInArrow(find, f"`{name}` long")


def counted(hashes: DataFrame) -> DataFrame:
    """Rows (``rows``), distinct hashes (``keys``) and marked rows (``marked``) of each part; parts share no hash.

    :param hashes: a column of long, and one of boolean that marks rows
    """

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        pieces, marked = [], 0
        for batch in batches:
            pieces.append(batch.column(0).to_numpy())
            marked += batch.column(1).true_count
        found = _sorted(pieces)
        keys = np.count_nonzero(found[1:] != found[:-1]) + min(len(found), 1)
        yield pa.RecordBatch.from_pydict({"rows": [len(found)], "keys": [int(keys)], "marked": [marked]})

    return hashes.repartition(hashes.columns[0]).mapInArrow(count, "rows long, keys long, marked long")


def _sorted(pieces: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    found = np.concatenate([np.empty(0, np.int64), *pieces])
    found.sort()
    return found
