"""What a factorisation keeps in files between its tasks: of each block the entries, and the vectors of the last round.

A side is the users or the items. Its rows are dealt to blocks by number; a block solves its rows, and writes their
vectors. A row of more than ``MOST_ENTRIES`` entries is cut into pieces that lie in blocks after each other, and is
solved in the first of them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from safetensors import numpy as safetensors

from shoprec.retrieval import arrow
from shoprec.retrieval.ties import signs
from shoprec.training.storage import Folder

Numbers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

#: Length of the first, random vectors.
FIRST_LENGTH = 0.1

#: Entries of one row that one block holds.
MOST_ENTRIES = 1 << 20


@dataclass(frozen=True)
class Entries:
    """The entries of some rows of a block.

    :ivar rows: their numbers, ascending
    :ivar ends: where the entries of each end
    :ivar named: the numbers of the other side that they name, ascending
    :ivar places: of each entry, its place among those; ascending within a row
    :ivar weights: of each entry
    """

    rows: Numbers
    ends: npt.NDArray[np.int64]
    named: Numbers
    places: Numbers
    weights: Floats

    def counts(self) -> npt.NDArray[np.int64]:
        """Entries of each row."""
        return np.diff(self.ends, prepend=0)


@dataclass(frozen=True)
class Vectors:
    """Rows, ascending, and their vectors [rows, width]."""

    rows: Numbers
    values: Floats

    def of(self, wanted: Numbers) -> Floats:
        """[wanted, width]; zeros where there is none."""
        if not len(self.rows):
            return np.zeros((len(wanted), self.values.shape[1]), np.float32)
        places = np.minimum(np.searchsorted(self.rows, wanted), len(self.rows) - 1)
        made = self.values[places]
        made[self.rows[places] != wanted] = 0
        return made

    def gram(self) -> npt.NDArray[np.float64]:
        """Their Gram matrix [width, width]."""
        wide = self.values.astype(np.float64)
        return wide.T @ wide


def together(parts: Iterable[Vectors], width: int) -> Vectors:
    """Parts that share no row, as one."""
    known = [Vectors(np.empty(0, np.int32), np.empty((0, width), np.float32)), *parts]
    rows = np.concatenate([part.rows for part in known])
    order = np.argsort(rows)
    places, values, done = np.empty_like(order), np.empty((len(rows), width), np.float32), 0
    places[order] = np.arange(len(rows))
    for at, part in enumerate(known):
        values[places[done : done + len(part.rows)]] = part.values
        done += len(part.rows)
        # What is copied is let go: a task holds the vectors once, and a part of them twice.
        known[at] = None
    return Vectors(rows[order], values)


@dataclass(frozen=True)
class Files:
    """The files of one side.

    Each appears whole or not at all, and has one writer: a task that is done again, or at two places, writes the same.
    """

    uri: str

    def write_entries(self, block: int, whole: Entries, pieces: Entries) -> None:
        """The entries of a block: of whole rows, and of pieces of rows that are solved elsewhere."""
        kept = {
            f"{part}.{name}": values
            for part, entries in (("whole", whole), ("pieces", pieces))
            for name, values in vars(entries).items()
        }
        self._write(f"entries/{block}", kept)

    def entries(self, block: int) -> tuple[Entries, Entries]:
        """(of whole rows, of pieces)"""
        kept = self._read(f"entries/{block}")
        return tuple(
            Entries(**{name.partition(".")[2]: values for name, values in kept.items() if name.startswith(part)})
            for part in ("whole.", "pieces.")
        )

    def write_asked(self, source: int, asked: dict[int, Numbers]) -> None:
        """Which rows of block ``source`` of the other side each block names."""
        self._write(f"asked/{source}", {str(into): rows for into, rows in asked.items()})

    def asked(self, source: int) -> dict[int, Numbers]:
        """What was written."""
        return {int(into): rows for into, rows in self._read(f"asked/{source}").items()}

    def write_vectors(self, half: int, name: str, vectors: Vectors) -> None:
        """What half round ``half`` made, under the name of its maker."""
        self._write(f"{half}/{name}", {"rows": vectors.rows, "values": vectors.values.astype(np.float32)})

    def vectors(self, half: int, names: Iterable[str], width: int) -> Vectors:
        """All that was written under these names."""
        return together((Vectors(**self._read(f"{half}/{name}")) for name in names), width)

    def forget(self, half: int) -> None:
        """Delete the vectors of a half round."""
        _folder(self.uri).delete(str(half))

    def _write(self, name: str, arrays: dict[str, npt.NDArray]) -> None:
        kept = {key: np.ascontiguousarray(values) for key, values in arrays.items()}
        _folder(self.uri).write(f"{name}.safetensors", safetensors.save(kept))

    def _read(self, name: str) -> dict[str, npt.NDArray]:
        try:
            return safetensors.load(_folder(self.uri).read(f"{name}.safetensors"))
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"{self.uri}/{name}.safetensors is not there, which another task wrote — all workers must reach the "
                "same files: give a place that they share with --set files=…"
            ) from error


@cache
def _folder(uri: str) -> Folder:
    """Once a process: a client of an object store is costly to make."""
    return Folder(uri)


def packed(pairs: pa.Table) -> tuple[Entries, Entries]:
    """The whole rows and the pieces of a block.

    :param pairs: piece boolean, row int, column int, weight float; one row a pair
    :raises ValueError: a weight is not a finite number above 0
    """
    weights = arrow.numbers(pairs, "weight")
    wrong = ~(np.isfinite(weights) & (weights > 0))
    if wrong.any():
        raise ValueError(f"{wrong.sum()} of {len(weights)} weights are not finite numbers above 0")
    row, column = arrow.numbers(pairs, "row"), arrow.numbers(pairs, "column")
    piece = arrow.numbers(pairs, "piece")
    # By rows and, within one, by columns: sums of floats depend on the order.
    order = np.argsort((row.astype(np.int64) << 32) | column)

    def part(own: npt.NDArray[np.int64]) -> Entries:
        rows, first = np.unique(row[own], return_index=True)
        named, places = np.unique(column[own], return_inverse=True)
        ends = np.append(first[1:], len(own)).astype(np.int64)[: len(rows)]
        return Entries(rows, ends, named, places.astype(np.int32), weights[own].astype(np.float32))

    return part(order[~piece[order]]), part(order[piece[order]])


def first_vectors(rows: pa.Table, rank: int, seed: int) -> Vectors:
    """Known vectors, others of random signs.

    :param rows: row, vector (null: unknown)
    :raises ValueError: a known vector is not finite, or not of this rank
    """
    rows = rows.sort_by("row")
    numbers, there = arrow.numbers(rows, "row"), rows.column("vector").is_valid()
    values = signs(numbers, rank, seed) * np.float32(FIRST_LENGTH / math.sqrt(rank))
    known = arrow.matrix(rows.filter(there), "vector", "the earlier fit")
    if len(known):
        if known.shape[1] != rank:
            raise ValueError(f"the earlier fit is {known.shape[1]} wide, als.rank is {rank}")
        values[there.to_numpy()] = known
    return Vectors(numbers, values)
