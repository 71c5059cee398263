"""The best k of each row among entries that arrive in pieces."""

import numpy as np
import numpy.typing as npt

from shoprec.retrieval import kernels
from shoprec.retrieval.ties import Hashes

Numbers = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


class Best:
    """Keeps, for each of ``len(row_hashes)`` rows, the k entries of highest score; ties by hash, lower first.

    An item is offered once a row. A score that is not a number, or minus infinity, is none.

    :param offered: how many entries each row will be offered at most, where that is known: rows with fewer than k need
        less room. Memory: 24 bytes for each entry that there is room for
    """

    def __init__(self, row_hashes: Hashes, k: int, offered: npt.NDArray[np.integer] | None = None) -> None:
        rows = len(row_hashes)
        room = np.full(rows, k) if offered is None else np.minimum(offered, k)
        first = np.concatenate([[0], np.cumsum(room)]).astype(np.int64)
        size = int(first[-1])
        kept = np.empty(size, np.float64), np.empty(size, np.int64), np.empty(size, np.int64)
        self._row_hashes = _writable(row_hashes, np.int64)
        self._heaps = np.zeros(rows, np.int64), first, *kept

    def offer(self, row: Numbers, item: Numbers, score: Scores, item_hashes: Hashes) -> None:
        """Consider entries (row, item, score), aligned.

        :raises ValueError: they are not aligned, or there is no such row
        """
        rows = len(self._row_hashes)
        if not len(row) == len(item) == len(score) == len(item_hashes):
            raise ValueError(f"{len(row)} rows, {len(item)} items, {len(score)} scores, {len(item_hashes)} hashes")
        if len(row) and not 0 <= row.min() <= row.max() < rows:
            raise ValueError(f"rows {row.min()} to {row.max()} of {rows}")
        row, item, item_hashes = (_writable(part, np.int64) for part in (row, item, item_hashes))
        kernels.offer(row, item, _writable(score, np.float64), item_hashes, self._row_hashes, self._heaps)

    def offer_tile(self, scores: npt.NDArray[np.float32], item: Numbers, item_hashes: Hashes) -> None:
        """Consider the same items for all rows; [rows, items].

        :raises ValueError: the shapes do not fit
        """
        rows = len(self._row_hashes)
        if not scores.shape == (rows, len(item)) == (rows, len(item_hashes)):
            raise ValueError(f"scores {scores.shape} of {rows} rows, {len(item)} items, {len(item_hashes)} hashes")
        scores = _writable(scores, np.float32)
        item, item_hashes = _writable(item, np.int64), _writable(item_hashes, np.int64)
        kernels.offer_tile(scores, item, item_hashes, self._row_hashes, self._heaps)

    def take(self) -> tuple[Numbers, Numbers, Scores]:
        """(row, item, score) of all that is kept, by row, best first."""
        count, first, *kept = self._heaps
        score, tie, item = (part.copy() for part in kept)
        kernels.sort((count, first, score, tie, item))
        room = np.diff(first)
        there = np.arange(len(score)) - np.repeat(first[:-1], room) < np.repeat(count, room)
        return np.repeat(np.arange(len(count)), count), item[there], score[there]


def _writable(values: npt.NDArray, kind: type) -> npt.NDArray:
    """The array as the kernels take it, in one piece and writable: itself where it is so, as Arrow's are not."""
    return np.require(values, kind, ("C", "W"))
