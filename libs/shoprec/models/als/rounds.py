"""The rounds of a factorisation, dealt out by Spark.

Users and items are dealt to blocks. A round solves all blocks of items against the users' vectors, then all blocks of
users against the items'. Entries and vectors lie in files that every task reaches (see ``blocks``); Spark deals out the
work, and carries what a block says of rows that others solve. A block takes the vectors of the other side in one of two
ways: all of them from their files, while these are small, or by a shuffle those that its entries name. A task holds its
block's entries, 12 bytes each and some 40 while they are packed, and those vectors, up to three times. To the driver
come width x width numbers of each block.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.models.als import blocks, messages
from shoprec.models.als.blocks import Files, Vectors, first_vectors, packed
from shoprec.models.als.config import AlsConfig
from shoprec.models.als.solve import Doubles, Half, joint_name
from shoprec.retrieval import arrow
from shoprec.reuse import reused
from shoprec.training.storage import Folder

#: Vectors of one side that every task may read, in bytes; and how many of them for each entry of its own.
MOST_TO_ALL, MOST_AN_ENTRY = 256 << 20, 4
#: Entries that a block holds on average at most, bytes that their vectors have if each names another, and entries fewer
#: than which another block is not worth its reading of the vectors.
MOST_IN_BLOCK, MOST_NAMED, LEAST_IN_BLOCK = 8 << 20, 512 << 20, 128 << 10

_OTHER = {"user": "item", "item": "user"}


@dataclass
class _Side:
    """The users or the items.

    :ivar rows: row, entries (how many)
    :ivar count: how many rows; ``entries``: of all of them
    :ivar cut: some rows are in pieces
    :ivar by_name: its blocks take the vectors that they name, not all
    :ivar packed: its blocks that have entries
    :ivar half: the half round that made its vectors
    :ivar made: the names under which they lie, by block
    :ivar gram: the Gram matrix of all of them
    """

    files: Files
    rows: DataFrame
    count: int
    entries: int
    cut: bool
    by_name: bool = False
    packed: Sequence[int] = ()
    half: int = -1
    made: Mapping[int, Sequence[str]] = field(default_factory=dict)
    gram: Doubles = field(default_factory=lambda: np.zeros((0, 0)))


class Rounds:
    """The blocks of both sides, and their vectors as they stand.

    :param pairs: user_idx int, item_idx int, weight float; one row a pair; read until both sides have begun
    :param folder: is emptied first
    """

    def __init__(self, pairs: DataFrame, config: AlsConfig, folder: Folder, seed: int) -> None:
        self._config, self._seed, self._spark, self._half = config, seed, pairs.sparkSession, 0
        folder.delete("")
        self._sides = {kind: _side(pairs, kind, folder) for kind in _OTHER}
        entries, conf = self._sides["user"].entries, self._spark.conf
        parallel = int(conf.get("spark.default.parallelism", conf.get("spark.sql.shuffle.partitions")))
        self._blocks = blocks_for(entries, config.rank, parallel)
        for kind, other in _OTHER.items():
            side = self._sides[kind]
            others = self._sides[other].count
            side.by_name = 4 * config.rank * others > MOST_TO_ALL or self._blocks * others > MOST_AN_ENTRY * entries
            side.packed = self._pack(
                side, pairs.select(F.col(f"{kind}_idx").alias("row"), F.col(f"{other}_idx").alias("column"), "weight")
            )
            if side.by_name:
                self._ask(side)

    def begin(self, kind: str, known: DataFrame | None) -> None:
        """Random vectors, or those that are known: ``kind``_idx, vector."""
        side, rank, seed = self._sides[kind], self._config.rank, self._seed
        rows = side.rows.withColumn("vector", F.lit(None).cast("array<float>"))
        if known is not None:
            known = known.select(F.col(f"{kind}_idx").alias("row"), "vector")
            rows = side.rows.join(known, on="row", how="left")
        block = F.pmod("row", F.lit(self._blocks)).cast("int").alias("block")
        files, half = side.files, self._half

        def first(rows: pa.Table) -> pa.Table:
            number, vectors = int(arrow.numbers(rows, "block")[0]), first_vectors(rows, rank, seed)
            files.write_vectors(half, str(number), vectors)
            return messages.gram_of(number, vectors.gram())

        self._stands(side, rows.select(block, "row", "vector").groupBy("block").applyInArrow(first, messages.GIVEN))

    def solve(self, kind: str) -> None:
        """One side against the other."""
        side, other = self._sides[kind], self._sides[_OTHER[kind]]
        half = Half(self._config, side.files, self._blocks, self._half, side.half, other.gram, other.count)
        before = side.half
        with reused(self._by_name(half, side, other) if side.by_name else self._to_all(half, side, other)) as given:
            late = None
            if side.cut:

                def join(given: pa.Table) -> pa.Table:
                    return messages.joined(half, given)

                late = given.where(F.col("into") != messages.OWN).groupBy("into").applyInArrow(join, messages.GIVEN)
            self._stands(side, given.where(F.col("into") == messages.OWN), late)
        side.files.forget(before)

    def vectors(self, kind: str) -> DataFrame:
        """``kind``_idx, vector, as they stand in the files."""
        side, name = self._sides[kind], f"{kind}_idx"
        files, half, made, rank = side.files, side.half, side.made, self._config.rank

        def read(block: int) -> pa.RecordBatch:
            vectors = files.vectors(half, made[block], rank)
            return pa.record_batch([pa.array(vectors.rows), arrow.vectors(vectors.values)], names=[name, "vector"])

        return self._tasks(made, read, f"{name} int, vector array<float>")

    def _tasks(self, chosen: Iterable[int], made: Callable[[int], pa.RecordBatch | pa.Table], schema: str) -> DataFrame:
        """What a function makes of each of these blocks, every one in a task of its own."""
        wanted = frozenset(chosen)

        def each(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for block in batch.column("id").to_pylist():
                    if block in wanted:
                        rows = made(block)
                        yield from rows.to_batches() if isinstance(rows, pa.Table) else (rows,)

        return self._spark.range(0, self._blocks, 1, self._blocks).mapInArrow(each, schema)

    def _pack(self, side: _Side, pairs: DataFrame) -> list[int]:
        """Write the entries of one side; the blocks that have some.

        :param pairs: row, column, weight
        """
        most, files = blocks.MOST_ENTRIES, side.files
        if side.cut:
            long = side.rows.where(F.col("entries") > most)
            cuts = long.select("row", F.ceil(F.col("entries") / most).cast("int").alias("cuts"))
            cut = pairs.join(F.broadcast(cuts), on="row", how="left")
        else:
            cut = pairs.withColumn("cuts", F.lit(None).cast("int"))
        piece = F.coalesce(F.pmod(F.xxhash64("column"), F.col("cuts")), F.lit(0))
        block = F.pmod(F.col("row") + piece, F.lit(self._blocks)).cast("int").alias("block")
        dealt = cut.select(block, F.col("cuts").isNotNull().alias("piece"), "row", "column", "weight")

        def pack(pairs: pa.Table) -> pa.Table:
            number = int(arrow.numbers(pairs, "block")[0])
            files.write_entries(number, *packed(pairs))
            return pa.table({"block": pa.array([number], pa.int32())})

        return sorted(row["block"] for row in dealt.groupBy("block").applyInArrow(pack, "block int").collect())

    def _ask(self, side: _Side) -> None:
        """Write which rows of each block of the other side a block names."""
        files, count = side.files, self._blocks

        def ask(block: int) -> pa.Table:
            named = np.unique(np.concatenate([entries.named for entries in files.entries(block)]))
            return messages.asked(block, named, count)

        def keep(asked: pa.Table) -> pa.Table:
            source = int(arrow.numbers(asked, "source")[0])
            files.write_asked(source, messages.heard(asked))
            return pa.table({"source": pa.array([source], pa.int32())})

        self._tasks(side.packed, ask, messages.ASKED).groupBy("source").applyInArrow(keep, "source int").collect()

    def _to_all(self, half: Half, side: _Side, other: _Side) -> DataFrame:
        files, number, rank = other.files, other.half, self._config.rank
        names = [name for block in other.made for name in other.made[block]]

        def solve(block: int) -> pa.Table:
            return messages.solved(half, block, files.vectors(number, names, rank))

        return self._tasks(side.packed, solve, messages.GIVEN)

    def _by_name(self, half: Half, side: _Side, other: _Side) -> DataFrame:
        files, asks, number, made, rank = other.files, side.files, other.half, other.made, self._config.rank

        def answer(block: int) -> pa.Table:
            held, asked = files.vectors(number, made[block], rank), asks.asked(block)
            return messages.sent((into, Vectors(rows, held.of(rows))) for into, rows in asked.items())

        def solve(sent: pa.Table) -> pa.Table:
            return messages.solved(half, int(arrow.numbers(sent, "into")[0]), messages.received(sent, rank))

        sent = self._tasks(made, answer, messages.SENT)
        return sent.groupBy("into").applyInArrow(solve, messages.GIVEN)

    def _stands(self, side: _Side, given: DataFrame, late: DataFrame | None = None) -> None:
        """Do the half round: what its tasks give back says how the side stands now.

        :param given: of the blocks
        :param late: of the blocks that put rows together from pieces
        """
        names: dict[int, list[str]] = {}
        side.gram = np.zeros((self._config.rank, self._config.rank))
        for some, name in ((given, str), (late, joint_name)):
            rows = some.select("part", "sums").collect() if some is not None else ()
            # In the blocks' order: sums of floats depend on it.
            for row in sorted(rows, key=lambda row: row["part"]):
                names.setdefault(row["part"], []).append(name(row["part"]))
                side.gram += np.frombuffer(row["sums"]).reshape(side.gram.shape)
        side.half, side.made = self._half, dict(sorted(names.items()))
        self._half += 1


def _side(pairs: DataFrame, kind: str, folder: Folder) -> _Side:
    rows = pairs.groupBy(F.col(f"{kind}_idx").alias("row")).agg(F.count("*").alias("entries"))
    count, entries, longest = rows.agg(F.count("*"), F.sum("entries"), F.max("entries")).first()
    return _Side(Files(folder.below(kind).uri), rows, count, entries or 0, (longest or 0) > blocks.MOST_ENTRIES)


def blocks_for(entries: int, rank: int, parallel: int) -> int:
    """Blocks of either side: as many as work at a time, if that is worth it, or, to keep them small, a multiple."""
    most = min(MOST_IN_BLOCK, MOST_NAMED // (4 * rank))
    if entries <= most * parallel:
        return max(1, min(parallel, math.ceil(entries / LEAST_IN_BLOCK)))
    return parallel * math.ceil(entries / (most * parallel))
