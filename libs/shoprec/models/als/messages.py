"""The rows in which the blocks of a factorisation hear of each other, through Spark; their numbers travel as bytes."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shoprec import arrow
from shoprec.models.als.blocks import Numbers, Vectors
from shoprec.models.als.solve import Half, Share

#: What a task gives back. Of its own block (``into`` is ``OWN``, ``part`` the block) the Gram matrix of its vectors; of
#: a row that block ``into`` solves, both sides of the equations and how many entries they are of.
GIVEN = "into int, part int, row int, entries long, sums binary"
_GIVEN = pa.schema([
    ("into", pa.int32()), ("part", pa.int32()), ("row", pa.int32()), ("entries", pa.int64()), ("sums", pa.binary()),
])  # fmt: skip
OWN = -1

#: Vectors on their way into a block.
SENT = "into int, rows binary, vectors binary"
_SENT = pa.schema([("into", pa.int32()), ("rows", pa.binary()), ("vectors", pa.binary())])

#: Rows of block ``source`` that block ``into`` names.
ASKED = "source int, into int, rows binary"
_ASKED = pa.schema([("source", pa.int32()), ("into", pa.int32()), ("rows", pa.binary())])


def gram_of(block: int, gram: npt.NDArray[np.float64] | None, shares: Sequence[tuple] = ()) -> pa.Table:
    """``GIVEN`` of a block (without Gram matrix: it has no rows), and what it has to say of rows that others solve."""
    own = [] if gram is None else [(OWN, block, -1, 0, gram.tobytes())]
    return arrow.table(_GIVEN, [*own, *shares])


def solved(half: Half, block: int, others: Iterable[Vectors]) -> pa.Table:
    """``GIVEN`` of a block that is solved."""
    gram, shares = half.solve(block, others)
    told = [
        (share.row % half.blocks, block, share.row, share.entries, np.append(share.left.ravel(), share.right).tobytes())
        for share in shares
    ]
    return gram_of(block, gram, told)


def joined(half: Half, block: int, told: pa.Table) -> pa.Table:
    """``GIVEN`` of a block that has solved the rows which others told of."""
    width, shares = half.config.rank, []
    for row in sorted(told.to_pylist(), key=lambda row: row["part"]):
        left, right = np.split(np.frombuffer(row["sums"]), [width * width])
        shares.append(Share(row["row"], left.reshape(width, width), right, row["entries"]))
    return gram_of(block, half.join(block, shares))


def asked(block: int, named: Numbers, blocks: int) -> pa.Table:
    """``ASKED`` by a block that names these rows of the other side."""
    source = named % blocks
    order = np.argsort(source, kind="stable")
    sources, first = np.unique(source[order], return_index=True)
    parts = np.split(named[order], first[1:])
    return arrow.table(
        _ASKED, [(one, block, rows.tobytes()) for one, rows in zip(sources.tolist(), parts, strict=True)]
    )


def heard(told: pa.Table) -> dict[int, Numbers]:
    """Which rows each block asks for, of the ``ASKED`` of one source."""
    return {row["into"]: np.frombuffer(row["rows"], np.int32) for row in told.to_pylist()}


def sent(into: int, vectors: Vectors) -> pa.Table:
    """``SENT``: vectors, and the block that they go to."""
    return arrow.table(_SENT, [(into, vectors.rows.tobytes(), vectors.values.tobytes())])


def received(told: Iterable[pa.RecordBatch], width: int) -> Iterator[Vectors]:
    """The vectors of the ``SENT`` into one block, sender by sender, where they lie."""
    for batch in told:
        for rows, values in zip(batch.column("rows"), batch.column("vectors"), strict=True):
            own = np.frombuffer(values.as_buffer(), np.float32).reshape(-1, width)
            yield Vectors(np.frombuffer(rows.as_buffer(), np.int32), own)
