"""Negatives drawn from a fixed distribution over the items, the same on every rank."""

import numpy as np


class Sampler:
    """Draws items with replacement, item i with the chance exp(log_q[i]).

    The draw of a step depends on the seed and the step's number alone: every rank makes it for itself, no state is
    kept, and a training that was resumed draws what it would have drawn.

    :param log_q: (items,) log of the chance of each item; need not be normalised, -inf: never
    """

    def __init__(self, log_q: np.ndarray, seed: int) -> None:
        chance = np.exp(log_q.astype(np.float64) - log_q.max())
        self._edges = np.cumsum(chance)
        #: (items,) log of the chances, normalised.
        self.log_q = (log_q - log_q.max() - np.log(self._edges[-1])).astype(np.float32)
        self._seed = seed

    def draw(self, count: int, step: int) -> np.ndarray:
        """``count`` items, int64, for the step numbered ``step`` from the start of training."""
        points = np.random.default_rng([self._seed, step]).random(count) * self._edges[-1]
        return np.minimum(np.searchsorted(self._edges, points, side="right"), len(self._edges) - 1)
