"""What the Arrow kernels share: numbers for keys, and figures over the rows of equal ones."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def codes(column: pa.ChunkedArray) -> Indices:
    """A number, 0 or above, for each of the values: equal ones for equal values."""
    if not len(column):
        return np.empty(0, np.int64)
    return column.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)


def codes_or_none(rows: pa.Table, name: str) -> Indices:
    """``codes`` of the column ``name``; -1 where it is null."""
    column = rows.column(name)
    return np.where(column.is_null().to_numpy(), -1, codes(column.fill_null(0)))


def grouped(user_N: Indices, place_N: Indices) -> Indices:
    """A number, 0 or above, for each pair of user and place; places are -1 or above."""
    return np.unique(user_N * (place_N.max(initial=0) + 2) + place_N + 1, return_inverse=True)[1]


def opening(*keys: Array | Indices) -> Indices:
    """The places at which another key begins than the row before has; rows of a key are one after another."""
    if not len(keys[0]):
        return np.empty(0, np.int64)
    changes = np.logical_or.reduce([values[1:] != values[:-1] for values in keys])
    return np.flatnonzero(np.concatenate([[True], changes]))


def least(values: Array, group: Indices) -> Array:
    """The least value of each group, NaN aside; infinite where a group has none."""
    least = np.full(group.max(initial=-1) + 1, np.inf)
    np.minimum.at(least, group, np.where(np.isnan(values), np.inf, values))
    return least


def finite(values: Array) -> NDArray[np.float32]:
    """``values`` as float32, with NaN for what a ratio to nothing gave."""
    return np.where(np.isfinite(values), values, np.nan).astype(np.float32)
