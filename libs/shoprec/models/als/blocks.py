"""What a factorisation keeps in files between its tasks: of each block the entries, and the vectors of the last round.

A side is the users or the items. Its rows are dealt to blocks by number; a block solves its rows, and writes their
vectors. A row of more than ``MOST_ENTRIES`` entries is cut into pieces that lie in blocks after each other, and is
solved in the first of them.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from safetensors import numpy as safetensors

from shoprec import arrow
from shoprec.retrieval.ties import signs
from shoprec.training.storage import Folder

Numbers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

#: Length of the first, random vectors.
FIRST_LENGTH = 0.1

#: Entries of a row that is not cut, and about that of a piece.
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

    def gram(self) -> npt.NDArray[np.float64]:
        """Their Gram matrix [width, width]."""
        wide = self.values.astype(np.float64)
        return wide.T @ wide


def gathered(parts: Iterable[Vectors], width: int, *wanted: Numbers) -> list[Floats]:
    """The vectors of each list of rows [rows, width], zeros where no part has one.

    :param parts: share no row
    :param wanted: ascending
    """
    made = [np.zeros((len(rows), width), np.float32) for rows in wanted]
    for part in parts:
        for rows, values in zip(wanted, made, strict=True):
            into, of = _met(rows, part.rows)
            values[into] = part.values[of]
    return made


def together(parts: Iterable[Vectors]) -> Vectors:
    """Parts that share no row, as one."""
    held = list(parts)
    rows = np.concatenate([part.rows for part in held])
    order = np.argsort(rows)
    return Vectors(rows[order], np.concatenate([part.values for part in held])[order])


def together_name(part: int) -> str:
    """The name of a file that several blocks' vectors are laid together in."""
    return f"together_{part}"


def _met(one: Numbers, other: Numbers) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where in each of two ascending lists the numbers are that both have."""
    if len(one) > len(other):
        return _met(other, one)[::-1]
    if not len(one):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    places = np.minimum(np.searchsorted(other, one), len(other) - 1)
    there = np.flatnonzero(other[places] == one)
    return there, places[there]


@dataclass(frozen=True)
class Files:
    """The files of one side.

    Each appears whole or not at all, and has one writer in a fit: a task that is done again, or twice, writes the same.
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
        self._write(f"rows/{block}", {"whole": whole.rows})

    def rows(self, block: int) -> Numbers:
        """The whole rows of a block."""
        return self._read(f"rows/{block}")["whole"]

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

    def vectors(self, half: int, names: Iterable[str]) -> Iterator[Vectors]:
        """What was written under these names, one after another."""
        return (Vectors(**self._read(f"{half}/{name}")) for name in names)

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


def packed(samples: pa.Table) -> tuple[Entries, Entries]:
    """The whole rows and the pieces of a block.

    :param samples: piece boolean, row int, column int, weight float; the weights of one pair add up
    :raises ValueError: a weight is not a finite number above 0, or a row or column is below 0
    """
    weights, piece = arrow.numbers(samples, "weight"), arrow.numbers(samples, "piece")
    wrong = ~(np.isfinite(weights) & (weights > 0))
    if wrong.any():
        raise ValueError(f"{wrong.sum()} of {len(weights)} weights are not finite numbers above 0")
    pair = _pairs(samples)
    # By rows and, within one, by columns and weights: sums of floats depend on the order.
    order = np.argsort(pair)
    pair, weights, piece = pair[order], weights[order], piece[order]
    del order
    first = _begins(pair)
    if len(first) < len(pair):
        order = np.lexsort((weights, pair))
        pair, piece = pair[first], piece[first]
        weights = np.add.reduceat(weights[order], first, dtype=np.float64).astype(np.float32)
    row, column = (pair >> 32).astype(np.int32), (pair & 0xFFFFFFFF).astype(np.int32)
    if not piece.any():
        return _entries(row, column, weights), _entries(row[:0], column[:0], weights[:0])
    whole = ~piece
    return _entries(row[whole], column[whole], weights[whole]), _entries(row[piece], column[piece], weights[piece])


def _pairs(samples: pa.Table) -> npt.NDArray[np.int64]:
    row, column = arrow.numbers(samples, "row"), arrow.numbers(samples, "column")
    least = min(row.min(initial=0), column.min(initial=0))
    if least < 0:
        raise ValueError(f"numbers of users or items begin at 0, one is {least}")
    pair = row.astype(np.int64)
    pair <<= 32
    pair |= column
    return pair


def _entries(row: Numbers, column: Numbers, weights: Floats) -> Entries:
    """Of each entry its row, ascending, its column and its weight."""
    first, named = _begins(row), np.unique(column)
    places = np.searchsorted(named, column).astype(np.int32)
    return Entries(row[first], np.append(first, len(row))[1:], named, places, weights)


def _begins(ascending: npt.NDArray) -> npt.NDArray[np.int64]:
    """Where each of its values begins."""
    return np.flatnonzero(np.append(True, ascending[1:] != ascending[:-1])) if len(ascending) else np.empty(0, np.int64)


def first_vectors(rows: Numbers, known: pa.Table, rank: int, seed: int) -> Vectors:
    """Known vectors, others of random signs.

    :param rows: ascending
    :param known: row, vector; others than ``rows`` do not count
    :raises ValueError: a known vector is not finite, or not of this rank
    """
    values, known = signs(rows, rank, seed) * np.float32(FIRST_LENGTH / math.sqrt(rank)), known.sort_by("row")
    vectors = arrow.matrix(known, "vector", "the earlier fit")
    if len(vectors):
        if vectors.shape[1] != rank:
            raise ValueError(f"the earlier fit is {vectors.shape[1]} wide, als.rank is {rank}")
        into, of = _met(rows, arrow.numbers(known, "row"))
        values[into] = vectors[of]
    return Vectors(rows, values)
