"""Which items go together: counts of common holders (users or baskets) by blocked sparse products.

Each block of items is one task: it receives the rows of those holders alone that hold an item of the block, and
multiplies block items by holders with holders by items, a slice at a time. No task multiplies more than its own items
and nothing is broadcast, though the list of a holder with many items goes to most blocks. Two caps bound the work on
skewed data: a holder keeps at most ``max_items`` items, and of an item's holders a sample of about ``max_holders``,
drawn by hash, stands for all; its counts are scaled up accordingly.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
from pydantic import Field
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from scipy import sparse

from shoprec import arrow
from shoprec.retrieval.best import Best
from shoprec.retrieval.ties import number_hashes
from shoprec.reuse import Hold, as_it_is
from shoprec.settings import Settings

#: Products that one slice of a block may take: bounds its result to some 100 MB.
SLICE_PRODUCTS = 8_000_000

#: The block of an item for which a holder does not stand: it was not drawn.
_NO_BLOCK = -1

_RESULT = "item_idx int, neighbour_idx int, similarity double, support long"
_RESULT_ARROW = pa.schema(
    [
        ("item_idx", pa.int32()),
        ("neighbour_idx", pa.int32()),
        ("similarity", pa.float64()),
        ("support", pa.int64()),
    ]
)

#: (common, holders of the item, holders of the neighbour, all holders) -> similarity; arrays and one number.
Measure = Callable[[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]


class NeighbourSettings(Settings):
    """How common holders become neighbours."""

    neighbours: int = Field(60, ge=1, le=1000, description="neighbours kept for an item")
    min_support: int = Field(3, ge=1, le=1_000_000, description="holders looked at that must hold both items")
    shrink: float = Field(10.0, ge=0, le=1e6, description="added below the line: holders (cosine), baskets (lift)")
    max_items: int = Field(500, ge=2, le=100_000, description="items that a holder keeps, the latest first")
    max_holders: int = Field(20_000, ge=10, le=10_000_000, description="holders of an item that are looked at, about")
    blocks: int = Field(16, ge=1, le=100_000, description="blocks of items, each one task: raise with the data")


def cosine(shrink: float) -> Measure:
    """common / (sqrt(holders · holders') + shrink): in (0, 1]. Shrinking distrusts pairs that few hold."""
    return lambda common, own, other, _: common / (np.sqrt(own * other) + shrink)


def lift(shrink: float) -> Measure:
    """common / (expected + shrink), expected = holders · holders' / all: how much oftener together than by chance."""
    return lambda common, own, other, total: common / (own * other / total + shrink)


def neighbours(held: DataFrame, settings: NeighbourSettings, measure: Measure, hold: Hold = as_it_is) -> DataFrame:
    """The nearest neighbours of each item.

    :param held: holder string, item_idx int, latest (orderable: when last held); one row a line, repeats allowed
    :param measure: ``cosine(…)`` or ``lift(…)``
    :param hold: keeps what it is given until the result has been used (``reuse.holding``): one row a pair
    :return: item_idx, neighbour_idx, similarity (> 0), support (>= min_support; an estimate where holders were
        sampled); at most ``neighbours`` rows an item, ties by hash of the pair
    """
    # In which order a block gets its rows does not matter: what is added up are whole numbers.
    stream = _rows(hold(_pairs(held, settings)), settings).repartitionById(settings.blocks, F.col("block"))

    def multiply(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return _multiply(batches, settings, measure)

    return stream.mapInArrow(multiply, _RESULT)


def _pairs(held: DataFrame, settings: NeighbourSettings) -> DataFrame:
    """holder, item_idx, distinct; each holder's latest ``max_items``, ties by hash."""
    pairs = held.groupBy("holder", "item_idx").agg(F.max("latest").alias("latest"))
    order = Window.partitionBy("holder").orderBy(F.desc("latest"), F.xxhash64("holder", "item_idx"), "item_idx")
    place = F.row_number().over(order.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    return pairs.withColumn("place", place).where(F.col("place") <= settings.max_items).select("holder", "item_idx")


def _rows(pairs: DataFrame, settings: NeighbourSettings) -> DataFrame:
    """block, items of a holder, counts (holders of each), blocks (of which it stands for each), total."""
    counts = pairs.groupBy("item_idx").agg(F.count(F.lit(1)).cast("int").alias("n"))
    total = pairs.agg(F.count_distinct("holder").cast("double").alias("total"))
    # A uniform draw in [0, 1) that belongs to the pair: the same in every run and every retry.
    draw = F.pmod(F.xxhash64("holder", "item_idx"), F.lit(1 << 32)) / F.lit(float(1 << 32))
    block = F.pmod(F.xxhash64("item_idx"), F.lit(settings.blocks)).cast("int")
    sampled = F.when(draw * F.col("n") < settings.max_holders, block).otherwise(_NO_BLOCK)
    entry = F.struct("item_idx", "n", sampled.alias("block"))
    wide = (
        pairs.join(counts.where(F.col("n") >= settings.min_support), on="item_idx", how="inner")
        .groupBy("holder")
        .agg(F.sort_array(F.collect_list(entry)).alias("entries"))
        .where(F.size("entries") > 1)
        .join(F.broadcast(total), how="cross")
    )
    rows = wide.select(
        F.explode(F.array_distinct("entries.block")).alias("block"),
        F.col("entries.item_idx").alias("items"),
        F.col("entries.n").alias("counts"),
        F.col("entries.block").alias("blocks"),
        "total",
    )
    return rows.where(F.col("block") != _NO_BLOCK)


def _multiply(
    batches: Iterable[pa.RecordBatch], settings: NeighbourSettings, measure: Measure
) -> Iterator[pa.RecordBatch]:
    parts = [batch for batch in batches if batch.num_rows]
    if not parts:
        return
    table = pa.Table.from_batches(parts)
    lengths, items = arrow.lists(table, "items")
    blocks = arrow.lists(table, "blocks")[1]
    total = float(table.column("total")[0].as_py())
    known, first, place = np.unique(items, return_index=True, return_inverse=True)
    held = arrow.lists(table, "counts")[1][first].astype(np.float64)
    everything = _incidence(lengths, place, len(known))
    own = blocks == np.repeat(arrow.numbers(table, "block"), lengths)
    # No row is empty: holders of one item are left out.
    own_lengths = np.add.reduceat(own, np.cumsum(lengths) - lengths, dtype=np.int64)
    own_items, own_place = np.unique(items[own], return_inverse=True)
    block = _incidence(own_lengths, own_place, len(own_items)).T.tocsr()
    del table, parts, items, place, blocks, own, own_place
    for start, stop in _slices(block @ lengths):
        common = (block[start:stop] @ everything).tocsr()
        at = np.searchsorted(known, own_items[start:stop])
        yield _nearest(common, known, held, at, total, settings, measure)


def _incidence(lengths: np.ndarray, places: np.ndarray, width: int) -> sparse.csr_array:
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    ones = np.ones(len(places), dtype=np.int32)
    return sparse.csr_array((ones, places.astype(np.int32), offsets), shape=(len(lengths), width))


def _slices(products: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of rows that take at most ``SLICE_PRODUCTS`` products each, or one row."""
    start, taken = 0, 0
    for at, cost in enumerate(products):
        if taken and taken + cost > SLICE_PRODUCTS:
            yield start, at
            start, taken = at, 0
        taken += int(cost)
    if start < len(products):
        yield start, len(products)


def _nearest(
    common: sparse.csr_array,
    known: np.ndarray,
    held: np.ndarray,
    at: np.ndarray,
    total: float,
    settings: NeighbourSettings,
    measure: Measure,
) -> pa.RecordBatch:
    """The best neighbours of the items ``known[at]``, whose rows ``common`` counts among the holders looked at."""
    row = np.repeat(np.arange(len(at)), np.diff(common.indptr))
    keep = (common.data >= settings.min_support) & (common.indices != at[row])
    row, column, counted = row[keep], common.indices[keep], common.data[keep]
    # Each holder was drawn with probability max_holders / holders: undo it, within what is possible.
    drawn = np.maximum(1.0, held[at] / settings.max_holders)
    support = np.minimum(counted * drawn[row], np.minimum(held[at[row]], held[column]))
    similarity = measure(support, held[at[row]], held[column], total)
    hashes = number_hashes(known.astype(np.int64))
    best = Best(hashes[at], settings.neighbours, np.bincount(row, minlength=len(at)))
    best.offer(row, np.arange(len(row)), similarity, hashes[column])
    row, entry, similarity = best.take()
    numbers = (known[at[row]], known[column[entry]], similarity, np.rint(support[entry]).astype(np.int64))
    columns = [pa.array(values, kind) for values, kind in zip(numbers, _RESULT_ARROW.types, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=_RESULT_ARROW)
