"""Arrow batches to numpy and back, without copies where the layout allows it."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def column(batch: pa.RecordBatch | pa.Table, name: str) -> pa.Array:
    """One column as a single array."""
    values = batch.column(name)
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def numbers(batch: pa.RecordBatch | pa.Table, name: str) -> npt.NDArray:
    """A column of numbers without nulls."""
    return column(batch, name).to_numpy(zero_copy_only=False)


def lists(batch: pa.RecordBatch | pa.Table, name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray]:
    """(lengths, values end to end) of a column of lists of numbers; a null list counts as empty."""
    array = column(batch, name)
    offsets = array.offsets.to_numpy().astype(np.int64)
    lengths = np.diff(offsets)
    if array.null_count:
        lengths[array.is_null().to_numpy(zero_copy_only=False)] = 0
        return lengths, array.flatten().to_numpy(zero_copy_only=False)
    return lengths, array.values.to_numpy(zero_copy_only=False)[offsets[0] : offsets[-1]]


def matrix(batch: pa.RecordBatch | pa.Table, name: str, what: str) -> npt.NDArray[np.float32]:
    """A column of equally long vectors as a matrix [rows, width].

    :param what: whose vectors they are, for the message
    :raises ValueError: the widths differ, or a number is not finite
    """
    lengths, values = lists(batch, name)
    if not len(lengths):
        return np.empty((0, 0), np.float32)
    if (lengths != lengths[0]).any():
        raise ValueError(f"vectors of {what} differ in width: {sorted(set(lengths.tolist()))[:5]}")
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values.reshape(len(lengths), -1)).all(axis=1)).sum())
        raise ValueError(f"vectors of {what} hold non-finite numbers in {bad} of {len(lengths)} rows")
    return np.ascontiguousarray(values.reshape(len(lengths), -1), dtype=np.float32)


def table(schema: pa.Schema, rows: Iterable[Sequence]) -> pa.Table:
    """A table of a few rows that are made one by one."""
    columns = list(zip(*rows, strict=True)) or [[] for _ in schema]
    return pa.Table.from_arrays(
        [pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)], schema=schema
    )


def vectors(rows: npt.NDArray) -> pa.ListArray:
    """A list of floats for each row of a matrix."""
    ends = pa.array(np.arange(len(rows) + 1) * rows.shape[1], pa.int32())
    return pa.ListArray.from_arrays(ends, pa.array(rows.astype(np.float32).ravel()))
