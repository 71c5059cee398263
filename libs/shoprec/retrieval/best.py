"""The best k of each row among entries that arrive in pieces."""

import numpy as np
import numpy.typing as npt

from shoprec.retrieval import kernels
from shoprec.retrieval.ties import Hashes

Numbers = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


class Best:
    """Keeps, for each of ``len(row_hashes)`` rows, the k entries of highest score; ties by hash, lower first.

    An item is offered once a row. Memory: 24 bytes for each row and k.
    """

    def __init__(self, row_hashes: Hashes, k: int) -> None:
        self._row_hashes = _own(row_hashes, np.int64)
        shape = len(row_hashes), k
        kept = np.empty(shape, np.float64), np.empty(shape, np.int64), np.empty(shape, np.int64)
        self._heaps = np.zeros(len(row_hashes), np.int64), *kept

    def offer(self, row: Numbers, item: Numbers, score: Scores, item_hashes: Hashes) -> None:
        """Consider entries (row, item, score), aligned; their scores are finite."""
        if self.k:
            row, item, item_hashes = (_own(part, np.int64) for part in (row, item, item_hashes))
            kernels.offer(row, item, _own(score, np.float64), item_hashes, self._row_hashes, self._heaps)

    def offer_tile(self, scores: npt.NDArray[np.float32], item: Numbers, item_hashes: Hashes) -> None:
        """Consider the same items for all rows; [rows, items]. What scores minus infinity is left out."""
        if self.k:
            item, item_hashes = _own(item, np.int64), _own(item_hashes, np.int64)
            kernels.offer_tile(scores, item, item_hashes, self._row_hashes, self._heaps)

    @property
    def k(self) -> int:
        """Entries a row, at most."""
        return self._heaps[1].shape[1]

    def take(self) -> tuple[Numbers, Numbers, Scores]:
        """(row, item, score) of all that is kept, by row, best first. Nothing can be offered after it."""
        kernels.sort(self._heaps)
        count, score, _, item = self._heaps
        kept = np.arange(self.k) < count[:, None]
        return np.repeat(np.arange(len(count)), count), item[kept], score[kept]


def _own(values: npt.NDArray, kind: type) -> npt.NDArray:
    """The array itself where it can be written, which Arrow's cannot: for those numba would compile once more."""
    return np.require(values, kind, ("C", "W"))
