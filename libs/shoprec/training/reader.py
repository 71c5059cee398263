"""Reads a training snapshot by Arrow, in batches: no Spark, no Delta, no Python for each row."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shoprec.errors import ShoprecError
from shoprec.training.manifest import MANIFEST, FileRows, Manifest
from shoprec.training.storage import Folder

#: Rows of one batch.
BATCH_ROWS = 65536


class Snapshot:
    """A finished snapshot.

    :param heard: called for each batch that is read, as a sign of life
    :raises ShoprecError: there is no manifest, or the files are not those that it names
    """

    def __init__(self, folder: Folder, heard: Callable[[], None] = lambda: None) -> None:
        self._folder, self._heard = folder, heard
        try:
            self.manifest = Manifest.of_json(folder.read(MANIFEST))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ShoprecError(f"{folder.uri} is no finished training snapshot ({error}): run the job again") from error
        for name, table in self.manifest.tables.items():
            there = folder.files(name)
            for file in table.files:
                if there.get(file.name) != file.bytes:
                    self._refuse(f"{name}/{file.name}", f"{there.get(file.name, 0):,} bytes", f"{file.bytes:,}")

    def rows(self, table: str) -> int:
        """Rows of a table."""
        return self.manifest.tables[table].rows

    def batches(
        self, table: str, columns: Sequence[str] | None = None, first: int = 0, last: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows [first, last) of a table, in order, in batches; of each file only the row groups that hold them."""
        last = self.rows(table) if last is None else last
        start = 0
        for file in self.manifest.tables[table].files:
            low, high = max(first - start, 0), min(last - start, file.rows)
            if low < high:
                yield from self._file(table, file, columns, low, high)
            start += file.rows

    def _file(
        self, table: str, file: FileRows, columns: Sequence[str] | None, low: int, high: int
    ) -> Iterator[pa.RecordBatch]:
        name = f"{table}/{file.name}"
        with pq.ParquetFile(self._folder.path(name), filesystem=self._folder.fs) as parquet:
            if parquet.metadata.num_rows != file.rows:
                self._refuse(name, f"{parquet.metadata.num_rows:,} rows", f"{file.rows:,}")
            sizes = [parquet.metadata.row_group(number).num_rows for number in range(parquet.num_row_groups)]
            ends = np.cumsum(sizes)
            groups = [number for number, end in enumerate(ends) if end > low and end - sizes[number] < high]
            start = int(ends[groups[0]] - sizes[groups[0]])
            for batch in parquet.iter_batches(BATCH_ROWS, row_groups=groups, columns=columns):
                begin, end = max(low - start, 0), min(high - start, batch.num_rows)
                start += batch.num_rows
                # Only then: of a negative length Arrow makes a batch of memory that is not its own.
                if begin < end:
                    self._heard()
                    yield batch.slice(begin, end - begin)

    def _refuse(self, name: str, found: str, told: str) -> None:
        raise ShoprecError(
            f"training snapshot {self._folder.uri}: {name} has {found}, its manifest says {told}: run the job again"
        )


def column(batch: pa.RecordBatch, name: str, dtype: type) -> np.ndarray:
    """One column without nulls, as (rows,) numbers."""
    return batch.column(name).to_numpy(zero_copy_only=False).astype(dtype, copy=False)


def matrix(batch: pa.RecordBatch, names: Sequence[str], dtype: type) -> np.ndarray:
    """Several columns without nulls, side by side: (rows, columns)."""
    table = np.empty((batch.num_rows, len(names)), dtype)
    for number, name in enumerate(names):
        table[:, number] = column(batch, name, dtype)
    return table


def padded(batch: pa.RecordBatch, name: str, width: int, empty: float, dtype: type) -> np.ndarray:
    """A column of lists, none longer than ``width``, as (rows, width), filled up with ``empty``."""
    lists = batch.column(name)
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    values = pc.list_flatten(lists).to_numpy(zero_copy_only=False)
    table = np.full((batch.num_rows, width), empty, dtype)
    rows = np.repeat(np.arange(batch.num_rows), lengths)
    places = np.arange(len(values)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    table[rows, places] = values
    return table
