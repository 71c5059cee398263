"""Which samples a rank holds and which of them form a batch.

The samples, N rows in a fixed order, are cut into L equal lanes: lane l is rows [lN/L, (l+1)N/L). Every global batch
takes the same number of rows from each lane, in an order drawn anew for each epoch and lane. Rank r of n has the lanes
[rL/n, (r+1)L/n), which are exactly the rows [rN/n, (r+1)N/n), as L is a multiple of n. So the b-th global batch holds
the same samples, in the same order, whatever n is, and every rank reads one contiguous range of rows.
"""

from collections.abc import Iterator

import numpy as np


def bounds(rows: int, part: int, parts: int) -> tuple[int, int]:
    """First row (inclusive) and last row (exclusive) of part ``part`` of ``parts`` equal parts of ``rows``."""
    return part * rows // parts, (part + 1) * rows // parts


class Lanes:
    """The lanes of one rank.

    :param rows: samples over all ranks
    :param batch: samples of one step over all ranks; a multiple of ``lanes``
    """

    def __init__(self, rows: int, lanes: int, batch: int, rank: int = 0, size: int = 1) -> None:
        if lanes % size or batch % lanes:
            raise ValueError(f"{lanes} lanes do not fit {size} ranks and batches of {batch}")
        self.first, self.last = bounds(rows, rank, size)
        self._chunk = batch // lanes
        own = range(rank * lanes // size, (rank + 1) * lanes // size)
        self._own = [(lane, *bounds(rows, lane, lanes)) for lane in own]
        #: Steps of an epoch, the same on every rank: the longest lane of all decides.
        self.steps = -(-max(-(-rows // lanes), 1) // self._chunk)

    def batches(self, seed: int, epoch: int) -> Iterator[np.ndarray]:
        """The steps of one epoch: rows of the rank's own range (0: its first row), -1 where a short batch is padded.

        Each is (batch / ranks) long; over an epoch each row of the range comes once.
        """
        orders = [self._order(seed, epoch, *lane) for lane in self._own]
        for step in range(self.steps):
            yield np.concatenate([order[step * self._chunk : (step + 1) * self._chunk] for order in orders])

    def _order(self, seed: int, epoch: int, lane: int, low: int, high: int) -> np.ndarray:
        order = np.random.default_rng([seed, epoch, lane]).permutation(high - low).astype(np.int64) + (low - self.first)
        return np.pad(order, (0, self.steps * self._chunk - len(order)), constant_values=-1)
