"""The best k of each row among entries that arrive in pieces, kept with a running threshold."""

import numpy as np
import numpy.typing as npt

from shoprec.retrieval.ties import Hashes, tie_hashes

Numbers = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64] | npt.NDArray[np.float32]


class Best:
    """Keeps, for each of ``len(row_hashes)`` rows, the k entries of highest score; ties by hash, lower first.

    Memory: at most ``3 k`` entries a row and what one offer brings. ``floor`` holds the score that a row's next entry
    must reach to matter: an offer below it may be left out by the caller.
    """

    def __init__(self, row_hashes: Hashes, k: int, scores: type[np.floating] = np.float64) -> None:
        self.k = k
        self.floor = np.full(len(row_hashes), -np.inf, dtype=scores)
        self._tie_floor = np.full(len(row_hashes), np.iinfo(np.int64).max)
        self._row_hashes = row_hashes
        self._kept: list[tuple[Numbers, Numbers, Scores, Hashes]] = []
        self._count = 0

    def offer(self, row: Numbers, item: Numbers, score: Scores, item_hashes: Hashes) -> None:
        """Consider entries (row, item, score), aligned; an item is offered once a row."""
        if self.k == 0:
            return
        keep = score >= self.floor[row]
        row, item, score, item_hashes = row[keep], item[keep], score[keep], item_hashes[keep]
        tie = tie_hashes(self._row_hashes[row], item_hashes)
        keep = (score > self.floor[row]) | (tie <= self._tie_floor[row])
        self._kept.append((row[keep], item[keep], score[keep], tie[keep]))
        self._count += int(keep.sum())
        if self._count > 3 * self.k * len(self.floor):
            self._compact()

    def _compact(self) -> None:
        row, item, score, tie = (np.concatenate(part) for part in zip(*self._kept, strict=True))
        order = np.lexsort((tie, -score, row))
        row, item, score, tie = row[order], item[order], score[order], tie[order]
        place = np.arange(len(row)) - np.searchsorted(row, row, side="left")
        last = place == self.k - 1
        self.floor[row[last]] = score[last]
        self._tie_floor[row[last]] = tie[last]
        keep = place < self.k
        self._kept = [(row[keep], item[keep], score[keep], tie[keep])]
        self._count = int(keep.sum())

    def take(self) -> tuple[Numbers, Numbers, Scores]:
        """(row, item, score) of all that is kept, by row, best first."""
        if not self._kept:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, self.floor.dtype)
        self._compact()
        row, item, score, _ = self._kept[0]
        return row, item, score
