"""The rounds of a factorisation, dealt out by Spark.

Users and items are dealt to blocks. A round solves all blocks of items against the users' vectors, then all blocks of
users against the items'. Entries and vectors lie in files that every task reaches (see ``blocks``); Spark deals out the
work, and carries what a block says of rows that others solve. A block takes the vectors of the other side in one of two
ways: all of them from their files, while these are small, or by a shuffle those that its entries name. A task holds its
block's entries, 12 bytes each and some 60 while they are packed, the vectors that they name, and one more file or, sent
by name, as many again. To the driver come width x width numbers of each block.
"""

import itertools
import math
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec import arrow
from shoprec.models.als import blocks, messages
from shoprec.models.als.blocks import Files, Vectors, first_vectors, gathered, packed, together, together_name
from shoprec.models.als.config import AlsConfig
from shoprec.models.als.dealing import blocks_for, of_one_block
from shoprec.models.als.solve import Doubles, Half, joint_name
from shoprec.reuse import reused, shuffle_parts
from shoprec.training.storage import Folder

#: Vectors of one side that every task may read, in bytes; and how many of them for each entry of its own.
MOST_TO_ALL, MOST_AN_ENTRY = 512 << 20, 4
#: Entries that a block holds on average at most, and bytes that their vectors have if each names another.
MOST_IN_BLOCK, MOST_NAMED = 4 << 20, 512 << 20
#: Vectors in one of the files that all tasks read, in bytes.
MOST_IN_FILE = 32 << 20

#: The number of no row.
NOBODY = -1

_OTHER = {"user": "item", "item": "user"}


@dataclass
class _Side:
    """The users or the items.

    :ivar count: how many rows
    :ivar long: row, cuts: the rows that stand in so many pieces; None: there are none
    :ivar by_name: its blocks take the vectors that they name, not all
    :ivar packed: its blocks that have entries
    :ivar half: the half round that made its vectors
    :ivar made: the names under which they lie, by block
    :ivar gram: the Gram matrix of all of them
    """

    files: Files
    count: int
    long: DataFrame | None
    by_name: bool = False
    packed: Sequence[int] = ()
    half: int = -1
    made: Mapping[int, Sequence[str]] = field(default_factory=dict)
    gram: Doubles = field(default_factory=lambda: np.zeros((0, 0)))


class Rounds:
    """The blocks of both sides, and their vectors as they stand.

    :param samples: user_idx int, item_idx int, weight float; those of one pair add up; read until both sides have begun
    :param folder: is emptied first
    :raises ValueError: as ``fit``
    """

    def __init__(self, samples: DataFrame, config: AlsConfig, folder: Folder, seed: int) -> None:
        self._config, self._seed, self._spark, self._half = config, seed, samples.sparkSession, 0
        folder.delete("")
        # A folder of its own: a task of an earlier try may still be writing.
        folder = folder.below(secrets.token_hex(4))
        self._sides = {}
        for kind in _OTHER:
            self._sides[kind], entries = _side(samples, kind, folder)
        self._blocks = self._deal(entries)
        for kind, other in _OTHER.items():
            side = self._sides[kind]
            columns = F.col(f"{kind}_idx").alias("row"), F.col(f"{other}_idx").alias("column"), "weight"
            side.packed = self._pack(side, samples.select(*columns))
            if side.by_name:
                self._ask(side)

    def _deal(self, entries: int) -> int:
        """How many blocks, and which sides take vectors by name."""
        rank = self._config.rank
        parallel = int(self._spark.conf.get("spark.default.parallelism", str(shuffle_parts(self._spark))))
        for most in (MOST_IN_BLOCK, min(MOST_IN_BLOCK, MOST_NAMED // (4 * rank))):
            number = blocks_for(entries, most, parallel)
            for kind, other in _OTHER.items():
                others = self._sides[other].count
                too_large = 4 * rank * others > MOST_TO_ALL or number * others > MOST_AN_ENTRY * entries
                self._sides[kind].by_name = too_large
            # What a block takes by name is bounded by what it holds.
            if not any(side.by_name for side in self._sides.values()):
                break
        return number

    def begin(self, kind: str, known: DataFrame | None) -> None:
        """Random vectors, or those that are known: ``kind``_idx, vector."""
        side, rank, seed = self._sides[kind], self._config.rank, self._seed
        files, half, entered = side.files, self._half, frozenset(side.packed)
        # A row for each block, so that each is there; rows in pieces, whose first vector lies where they are solved.
        told = self._spark.range(self._blocks).select(
            F.col("id").cast("int").alias("block"), F.lit(NOBODY).alias("row")
        )
        if side.long is not None:
            told = told.unionByName(side.long.select(self._home("row").alias("block"), "row"))
        told = told.withColumn("vector", F.lit(None).cast("array<float>"))
        if known is not None:
            rows = known.select(F.col(f"{kind}_idx").alias("row"), "vector")
            told = told.unionByName(rows.withColumn("block", self._home("row")))

        def first(block: int, batches: Iterator[pa.RecordBatch]) -> pa.Table:
            told = pa.Table.from_batches(batches)
            there = told.column("vector").is_valid()
            begun = arrow.numbers(told.filter(pc.invert(there)), "row")
            whole = files.rows(block) if block in entered else np.empty(0, np.int32)
            rows = np.union1d(whole, begun[begun != NOBODY]).astype(np.int32)
            if not len(rows):
                return messages.gram_of(block, None)
            vectors = first_vectors(rows, told.filter(there), rank, seed)
            files.write_vectors(half, str(block), vectors)
            return messages.gram_of(block, vectors.gram())

        self._stands(side, self._by("block", told, first, messages.GIVEN))

    def solve(self, kind: str) -> None:
        """One side against the other."""
        side, other = self._sides[kind], self._sides[_OTHER[kind]]
        half = Half(self._config, side.files, self._blocks, self._half, side.half, other.gram, other.count)
        before = side.half
        with reused(self._by_name(half, side, other) if side.by_name else self._to_all(half, side, other)) as given:
            late = None
            if side.long is not None:

                def join(block: int, batches: Iterator[pa.RecordBatch]) -> pa.Table:
                    return messages.joined(half, block, pa.Table.from_batches(batches))

                late = self._by("into", given.where(F.col("into") != messages.OWN), join, messages.GIVEN)
            self._stands(side, given.where(F.col("into") == messages.OWN), late)
        side.files.forget(before)

    def vectors(self, kind: str) -> DataFrame:
        """``kind``_idx, vector, as they stand in the files."""
        side, name = self._sides[kind], f"{kind}_idx"
        files, half, made = side.files, side.half, side.made

        def read(block: int) -> Iterator[pa.Table]:
            for vectors in files.vectors(half, made[block]):
                yield pa.table({name: vectors.rows, "vector": arrow.vectors(vectors.values)})

        return self._tasks(made, read, f"{name} int, vector array<float>")

    def _home(self, row: str) -> Column:
        """The block that solves a row."""
        return F.pmod(F.col(row), F.lit(self._blocks)).cast("int")

    def _tasks(self, chosen: Iterable[int], made: Callable[[int], Iterable[pa.Table]], schema: str) -> DataFrame:
        """What a function makes of each of these blocks or parts, every one in a task of its own."""
        wanted = frozenset(chosen)

        def each(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for block in wanted.intersection(batch.column("id").to_pylist()):
                    for table in made(block):
                        yield from table.to_batches()

        tasks = max(wanted, default=0) + 1
        return self._spark.range(0, tasks, 1, tasks).mapInArrow(each, schema)

    def _by(
        self, column: str, rows: DataFrame, made: Callable[[int, Iterator[pa.RecordBatch]], pa.Table], schema: str
    ) -> DataFrame:
        """What a function makes of the rows of each block; unlike those of a group, they need not be sorted.

        :param column: holds the block of a row
        """

        def each(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            held = (batch for batch in batches if batch.num_rows)
            first = next(held, None)
            if first is not None:
                block = int(arrow.numbers(first, column)[0])
                yield from made(block, of_one_block(block, column, itertools.chain([first], held))).to_batches()

        return rows.repartitionById(self._blocks, F.col(column)).mapInArrow(each, schema)

    def _pack(self, side: _Side, samples: DataFrame) -> list[int]:
        """Write the entries of one side; the blocks that have some.

        :param samples: row, column, weight
        """
        files = side.files
        if side.long is None:
            dealt = samples.withColumns({"block": self._home("row"), "piece": F.lit(False)})
        else:
            cut, piece = F.col("cuts").isNotNull(), F.coalesce(F.pmod(F.xxhash64("column"), F.col("cuts")), F.lit(0))
            block = F.pmod(F.col("row") + piece, F.lit(self._blocks)).cast("int")
            dealt = samples.join(F.broadcast(side.long), on="row", how="left")
            dealt = dealt.withColumns({"block": block, "piece": cut}).drop("cuts")

        def pack(block: int, batches: Iterator[pa.RecordBatch]) -> pa.Table:
            files.write_entries(block, *packed(pa.Table.from_batches(batches)))
            return pa.table({"block": pa.array([block], pa.int32())})

        return sorted(row["block"] for row in self._by("block", dealt, pack, "block int").collect())

    def _ask(self, side: _Side) -> None:
        """Write which rows of each block of the other side a block names."""
        files, count = side.files, self._blocks

        def ask(block: int) -> Iterator[pa.Table]:
            yield messages.asked(block, np.unique(np.concatenate([one.named for one in files.entries(block)])), count)

        def keep(source: int, batches: Iterator[pa.RecordBatch]) -> pa.Table:
            files.write_asked(source, messages.heard(pa.Table.from_batches(batches)))
            return pa.table({"source": pa.array([source], pa.int32())})

        self._by("source", self._tasks(side.packed, ask, messages.ASKED), keep, "source int").collect()

    def _to_all(self, half: Half, side: _Side, other: _Side) -> DataFrame:
        files, number, names = other.files, other.half, self._in_few_files(other)

        def solve(block: int) -> Iterator[pa.Table]:
            yield messages.solved(half, block, files.vectors(number, names))

        return self._tasks(side.packed, solve, messages.GIVEN)

    def _in_few_files(self, side: _Side) -> Sequence[str]:
        """The names of files that hold all of its vectors: those of its blocks, or fewer that are made of them."""
        names = [name for block in side.made for name in side.made[block]]
        few = math.ceil(4 * self._config.rank * side.count / MOST_IN_FILE)
        if len(names) <= 2 * few:
            return names
        files, half, parts = side.files, side.half, [names[at::few] for at in range(few)]

        def lay_together(part: int) -> Iterator[pa.Table]:
            files.write_vectors(half, together_name(part), together(files.vectors(half, parts[part])))
            yield pa.table({"part": pa.array([part], pa.int32())})

        self._tasks(range(few), lay_together, "part int").collect()
        return [together_name(part) for part in range(few)]

    def _by_name(self, half: Half, side: _Side, other: _Side) -> DataFrame:
        files, asks, number, made, rank = other.files, side.files, other.half, other.made, self._config.rank

        def answer(block: int) -> Iterator[pa.Table]:
            held = list(files.vectors(number, made[block]))
            for into, rows in asks.asked(block).items():
                yield messages.sent(into, Vectors(rows, *gathered(held, rank, rows)))

        def solve(block: int, batches: Iterator[pa.RecordBatch]) -> pa.Table:
            return messages.solved(half, block, messages.received(batches, rank))

        return self._by("into", self._tasks(made, answer, messages.SENT), solve, messages.GIVEN)

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
        # The kernels take it in single precision; they compare nothing with infinity or nan.
        if not (np.abs(side.gram) <= np.finfo(np.float32).max).all():
            raise ValueError("vectors beyond single precision: raise als.regularisation, or lower als.alpha")
        side.half, side.made = self._half, dict(sorted(names.items()))
        self._half += 1


def _side(samples: DataFrame, kind: str, folder: Folder) -> tuple[_Side, int]:
    """One side, and how many samples there are."""
    rows = samples.groupBy(F.col(f"{kind}_idx").alias("row")).agg(F.count("*").alias("entries"))
    count, entries, longest = rows.agg(F.count("*"), F.sum("entries"), F.max("entries")).first()
    long = None
    if (longest or 0) > blocks.MOST_ENTRIES:
        cuts = F.ceil(F.col("entries") / blocks.MOST_ENTRIES).cast("int").alias("cuts")
        few = rows.where(F.col("entries") > blocks.MOST_ENTRIES).select("row", cuts).collect()
        long = samples.sparkSession.createDataFrame(few, "row int, cuts int")
    return _Side(Files(folder.below(kind).uri), count, long), entries or 0
