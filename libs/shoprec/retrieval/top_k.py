"""Exact top-K of dot products: blocks of users against a stream of items, with a running threshold.

Each task holds the vectors of its users and reads the item vectors once, as a stream sorted by number, batch after
batch: one sgemm for a tile, a comparison with each user's current k-th score, and only what passes is looked at. Item
vectors reach the tasks through a shuffle, one copy for each task, never through the driver; a task holds
``USERS_PER_TASK`` users and one Arrow batch of items, whatever the size of catalogue and user base. Where items are for
some users alone, a task goes through its users mask by mask, and multiplies by what each mask lets through.
"""

import itertools
import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec import arrow
from shoprec.retrieval.best import Best
from shoprec.retrieval.ties import Hashes, id_hash
from shoprec.reuse import shuffle_parts

#: Users whose vectors and lists one task holds: some 100 MB at k = 150.
USERS_PER_TASK = 16_384
#: Fewer users than this are not worth another copy of the items: one takes as long as the scores of a thousand users.
LEAST_USERS_PER_TASK = 4_096
#: Rows and columns of a tile of scores: 2 MiB, which stays in a core's cache.
TILE_USERS, TILE_ITEMS = 512, 1_024
#: Rows and columns that are multiplied at least, some of them zeros: for smaller products OpenBLAS adds up in another
#: order, and a pair's score would depend on who shares its tile. Twice and four times what was seen to be needed.
LEAST_ROWS, LEAST_COLUMNS = 64, 256

#: More than any number of an item.
_USERS = 1 << 62
_MASKS = "array<bigint>"
_RESULT = "user_id string, item_idx int, score double"
_RESULT_ARROW = pa.schema([("user_id", pa.string()), ("item_idx", pa.int32()), ("score", pa.float64())])


def top_k(users: DataFrame, items: DataFrame, new: int, bought: int = 0) -> DataFrame:
    """The items of highest dot product for each user: ``new`` that the user has not seen, ``bought`` that they have.

    :param users: user_id, vector array<float>, seen array<int> (item numbers; null: none), mask bigint (whatever tells
        apart who may be offered what: of a market, a segment, or both; null: of none)
    :param items: item_id, item_idx int, vector array<float>, masks array<bigint> (for users of one of these alone;
        null: for all users); widths must agree
    :return: user_id, item_idx, score (the float32 dot product); equal scores are decided by ``ties.tie_order``
    :raises ValueError: within the Spark job, when a vector is not finite or widths differ
    """
    stream = _rows(users, items, _tasks(users))

    def search(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return _search(batches, new, bought)

    return stream.mapInArrow(search, _RESULT)


def unmasked(users: DataFrame, items: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Users and items with the masks by which every item is for every user."""
    none = F.lit(None)
    return users.withColumn("mask", none.cast("bigint")), items.withColumn("masks", none.cast(_MASKS))


def _rows(users: DataFrame, items: DataFrame, tasks: int) -> DataFrame:
    """What each task receives, in its order: its users, those of a mask together, and then all items by number.

    ``place`` is what Spark sorts by, of users below zero: one number, by which it need not look at the rows of items.
    """
    user_rows = users.select(
        (F.pmod(F.xxhash64(F.lit("task"), "user_id"), F.lit(tasks))).cast("int").alias("task"),
        (F.pmod(F.xxhash64("mask"), F.lit(_USERS)) - _USERS).alias("place"),
        "user_id",
        id_hash("user_id").alias("hash"),
        "vector",
        "seen",
        "mask",
        F.lit(None).cast(_MASKS).alias("masks"),
    )
    item_rows = items.select(
        F.explode(F.sequence(F.lit(0), F.lit(tasks - 1))).alias("task"),
        F.col("item_idx").cast("bigint").alias("place"),
        F.lit("").alias("user_id"),
        id_hash("item_id").alias("hash"),
        "vector",
        F.lit(None).cast("array<int>").alias("seen"),
        F.lit(None).cast("bigint").alias("mask"),
        "masks",
    )
    rows = user_rows.unionByName(item_rows).repartitionById(tasks, F.col("task")).drop("task")
    return rows.sortWithinPartitions("place", "mask", "hash", "user_id")


def _tasks(users: DataFrame) -> int:
    count = users.count()
    parallel = shuffle_parts(users.sparkSession)
    return max(1, min(parallel, math.ceil(count / LEAST_USERS_PER_TASK)), math.ceil(count / USERS_PER_TASK))


def _search(batches: Iterable[pa.RecordBatch], new: int, bought: int) -> Iterator[pa.RecordBatch]:
    waiting: list[pa.RecordBatch] = []
    groups: list[_Group] | None = None
    for batch in batches:
        first_item = int(np.searchsorted(arrow.numbers(batch, "place"), 0))
        if first_item:
            waiting.append(batch.slice(0, first_item))
        rows = batch.slice(first_item)
        if not rows.num_rows:
            continue
        if groups is None:
            groups = _groups(waiting, new, bought)
        numbers, hashes = arrow.numbers(rows, "place"), arrow.numbers(rows, "hash")
        vectors = arrow.matrix(rows, "vector", "items")
        if groups and groups[0].vectors.shape[1] != vectors.shape[1]:
            raise ValueError(f"vectors of users are {groups[0].vectors.shape[1]} wide, of items {vectors.shape[1]}")
        let_through = _by_mask(rows, {group.mask for group in groups})
        for start in range(0, len(numbers), TILE_ITEMS):
            tile = slice(start, start + TILE_ITEMS)
            for mask, of_mask in itertools.groupby(groups, key=lambda group: group.mask):
                offered = _some(let_through[mask][tile], numbers[tile], hashes[tile], vectors[tile])
                for group in of_mask if len(offered[0]) else ():
                    group.score(*offered)
    for group in groups or []:
        yield group.result()


def _groups(waiting: list[pa.RecordBatch], new: int, bought: int) -> list["_Group"]:
    if not waiting:
        return []
    users, groups = pa.Table.from_batches(waiting), []
    masks = pc.run_end_encode(arrow.column(users, "mask"))
    ends = masks.run_ends.to_pylist()
    for mask, first, last in zip(masks.values.to_pylist(), [0, *ends], ends, strict=False):
        for at in range(first, last, TILE_USERS):
            groups.append(_Group(users.slice(at, min(TILE_USERS, last - at)), mask, new, bought))
    return groups


def _by_mask(items: pa.RecordBatch, masks: Iterable[int | None]) -> dict[int | None, npt.NDArray[np.bool_]]:
    """For each of ``masks`` which of the items it lets through."""
    for_all = arrow.column(items, "masks").is_null().to_numpy(zero_copy_only=False)
    if for_all.all():
        return dict.fromkeys(masks, for_all)
    lengths, values = arrow.lists(items, "masks")
    order, made = np.argsort(values, kind="stable"), {}
    values, rows = values[order], np.repeat(np.arange(len(lengths)), lengths)[order]
    for mask in masks:
        made[mask] = for_all.copy()
        if mask is not None:
            first, last = np.searchsorted(values, mask), np.searchsorted(values, mask, side="right")
            made[mask][rows[first:last]] = True
    return made


def _some(chosen: npt.NDArray[np.bool_], *columns: np.ndarray) -> tuple[np.ndarray, ...]:
    """The chosen rows of each column: itself where all are, which copies nothing."""
    return columns if chosen.all() else tuple(column[chosen] for column in columns)


def _at_least(rows: int, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The vectors, and below them zeros where they are fewer."""
    return vectors if len(vectors) >= rows else np.pad(vectors, ((0, rows - len(vectors)), (0, 0)))


class _Group:
    """Up to ``TILE_USERS`` users of a task and of one mask, with the best of what they have been offered."""

    def __init__(self, users: pa.Table, mask: int | None, new: int, bought: int) -> None:
        self.mask = mask
        self.ids = arrow.column(users, "user_id")
        self.vectors = _at_least(LEAST_ROWS, arrow.matrix(users, "vector", "users"))
        hashes = arrow.numbers(users, "hash")
        lengths, seen = arrow.lists(users, "seen")
        order = np.argsort(seen, kind="stable")
        self.seen_items = seen[order].astype(np.int64)
        self.seen_rows = np.repeat(np.arange(len(lengths)), lengths)[order]
        self.new, self.bought = Best(hashes, new), Best(hashes, bought, lengths)

    def score(self, numbers: np.ndarray, hashes: Hashes, vectors: np.ndarray) -> None:
        """Offer one tile of items, sorted by number."""
        scores = (self.vectors @ _at_least(LEAST_COLUMNS, vectors).T)[: len(self.ids), : len(numbers)]
        rows, columns = self._seen_in(numbers)
        self.bought.offer(rows, numbers[columns], scores[rows, columns], hashes[columns])
        scores[rows, columns] = -np.inf
        self.new.offer_tile(scores, numbers, hashes)

    def _seen_in(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rows, columns) of the tile that hold items which the user has seen."""
        first, last = np.searchsorted(self.seen_items, [numbers[0], numbers[-1] + 1])
        items, rows = self.seen_items[first:last], self.seen_rows[first:last]
        columns = np.searchsorted(numbers, items)
        there = numbers[columns] == items
        return rows[there], columns[there]

    def result(self) -> pa.RecordBatch:
        """user_id, item_idx, score of both quotas."""
        parts = [best.take() for best in (self.new, self.bought)]
        row, item, score = (np.concatenate(part) for part in zip(*parts, strict=True))
        columns = [self.ids.take(pa.array(row)), pa.array(item, pa.int32()), pa.array(score)]
        return pa.RecordBatch.from_arrays(columns, schema=_RESULT_ARROW)
