"""Many numbers of a row in one binary column, one after another: what goes from Spark to Arrow and back.

Of rows of more than a hundred columns Spark compiles no stage, keeps each number in eight bytes and hands them to Arrow
one by one, those of arrays too; a binary column it copies as it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

Matrix = NDArray[np.float32]
Numbers = NDArray[Any]
Ends = NDArray[np.int64]


def matrix_of(rows: pa.Table | pa.RecordBatch, names: Sequence[str]) -> Matrix:
    """The columns ``names`` of the rows, [rows, names] float32, nulls as NaN."""
    matrix = np.empty((rows.num_rows, len(names)), dtype=np.float32)
    for place, name in enumerate(names):
        matrix[:, place] = rows.column(name).to_numpy(zero_copy_only=False)
    return matrix


def packed(rows: pa.Table, into: Mapping[str, Sequence[str]]) -> pa.Table:
    """``rows`` with a binary column of float32 for each name of ``into``, in place of the columns that it holds."""
    made = {name: binary(matrix_of(rows, names)) for name, names in into.items()}
    rows = rows.drop_columns([name for names in into.values() for name in names])
    for name, values in made.items():
        rows = rows.append_column(name, values)
    return rows


def unpacked(rows: pa.Table, into: Mapping[str, Sequence[str]]) -> pa.Table:
    """What ``packed`` was given, as float32: NaN where a number was null, or a whole binary value is."""
    for name, names in into.items():
        matrix = matrix_in(rows, name, len(names))
        rows = rows.drop_columns([name])
        for place, one in enumerate(names):
            rows = rows.append_column(one, pa.array(matrix[:, place]))
    return rows


def matrix_in(rows: pa.Table | pa.RecordBatch, name: str, width: int) -> Matrix:
    """The numbers of a column of float32, [rows, width]; NaN throughout where the value is null.

    :raises ValueError: the column holds rows of another width
    """
    known = rows.column(name).is_valid().to_numpy(zero_copy_only=False)
    values, _ = numbers(rows.column(name), np.float32)
    if len(values) != width * np.count_nonzero(known):
        raise ValueError(f"{name} holds {len(values)} numbers in {np.count_nonzero(known)} rows, not {width} a row")
    if known.all():
        return values.reshape(-1, width)
    matrix = np.full((len(known), width), np.nan, np.float32)
    matrix[known] = values.reshape(-1, width)
    return matrix


def numbers(column: pa.Array | pa.ChunkedArray, kind: type[np.generic]) -> tuple[Numbers, Ends]:
    """All numbers of a binary column, and where among them each row's begin and the last's end, [rows + 1].

    A null has none.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_binary(array.type):  # with useLargeVarTypes Spark sends binaries with longer offsets
        array = array.cast(pa.binary())
    if not len(array):
        return np.empty(0, kind), np.zeros(1, np.int64)
    size = np.dtype(kind).itemsize
    _, ends, data = array.buffers()
    end = np.frombuffer(ends, np.int32, len(array) + 1, array.offset * 4).astype(np.int64)
    values = np.frombuffer(data, kind, (end[-1] - end[0]) // size, end[0]) if data else np.empty(0, kind)
    return values, (end - end[0]) // size


def binary(values: Numbers, ends: Ends | None = None) -> pa.BinaryArray:
    """``values``, cut into rows at ``ends`` [rows + 1]; of a matrix, at the end of each of its rows."""
    if ends is None:
        ends = np.arange(len(values) + 1) * values.shape[1]
    data = np.ascontiguousarray(values)
    places = pa.array(ends * data.itemsize, pa.int32())
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, places.buffers()[1], pa.py_buffer(data)])


def pack(rows: DataFrame, into: Mapping[str, Sequence[str]]) -> DataFrame:
    """``packed``, of a DataFrame whose columns of ``into`` are floats."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield from packed(pa.table(batch), into).to_batches()

    gone = {name for names in into.values() for name in names}
    kept = [f"{field.name} {field.dataType.simpleString()}" for field in rows.schema if field.name not in gone]
    return rows.mapInArrow(run, ", ".join([*kept, *(f"{name} binary" for name in into)]))
