"""Hashes of keys: shares of rows that they draw, and which of them repeat.

Nearly every hash is a group of its own, and a map of millions of groups takes Spark longer than to let each part of the
rows sort its own in NumPy. A task holds 24 bytes for each distinct hash of its part and 16 for each of ``_AT_ONCE``
rows, whatever number of rows has one.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

#: Rows that a task sorts at once.
_AT_ONCE = 4_000_000

#: Rows of a part whose distinct hashes take some 400 MB: more are to be dealt to more parts.
PART_ROWS = 16_000_000

#: Steps of a share.
_STEPS = 1_000_000

Hashes = NDArray[np.int64]


def taken(share: float, seed: int, *ids: str) -> Column:
    """True for about ``share`` of the values of ``ids``, the same in every run with this ``seed``."""
    return F.pmod(F.xxhash64(*ids, F.lit(f"taken {seed}")), F.lit(_STEPS)) < int(share * _STEPS)


def repeated(hashes: DataFrame, parts: int) -> DataFrame:
    """The hashes that stand more than once, each once.

    :param hashes: one column of long; it keeps its name
    :param parts: tasks that they are dealt to
    """
    name = hashes.columns[0]

    def find(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        found, times = _tallied(batch.column(0).to_numpy() for batch in batches)
        yield pa.record_batch([pa.array(found[times > 1])], names=[name])

    return hashes.repartition(parts, name).mapInArrow(find, f"`{name}` long")


def counted(hashes: DataFrame, parts: int | None = None) -> DataFrame:
    """Rows (``rows``), distinct hashes (``keys``) and marked rows (``marked``) of each part; parts share no hash.

    :param hashes: a column of long, and one of boolean that marks rows
    :param parts: tasks that they are dealt to; unsaid, as many as a shuffle has, or fewer where rows are few
    """

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        marked = 0

        def hashes_of() -> Iterator[Hashes]:
            nonlocal marked
            for batch in batches:
                marked += batch.column(1).true_count
                yield batch.column(0).to_numpy()

        found, times = _tallied(hashes_of())
        told = {"rows": [int(times.sum())], "keys": [len(found)], "marked": [marked]}
        yield pa.RecordBatch.from_pydict(told)

    name = hashes.columns[0]
    dealt = hashes.repartition(parts, name) if parts else hashes.repartition(name)
    return dealt.mapInArrow(count, "rows long, keys long, marked long")


def _tallied(pieces: Iterable[Hashes], at_once: int = _AT_ONCE) -> tuple[Hashes, Hashes]:
    """The distinct hashes, and how often each stands."""
    found = times = np.empty(0, np.int64)
    waiting: list[Hashes] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(map(len, waiting)) >= at_once:
            found, times = _added(found, times, waiting)
            waiting = []
    return _added(found, times, waiting) if waiting else (found, times)


def _added(found: Hashes, times: Hashes, pieces: list[Hashes]) -> tuple[Hashes, Hashes]:
    more, more_times = np.unique(np.concatenate(pieces), return_counts=True)
    if not len(found):
        return more, more_times
    both, place = np.unique(np.concatenate([found, more]), return_inverse=True)
    total = np.zeros(len(both), np.int64)
    np.add.at(total, place, np.concatenate([times, more_times]))
    return both, total
