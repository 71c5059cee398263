"""Which items follow each other: pairs of users' histories in order of time, added up.

Each task goes through the histories of its users a piece at a time and gives partial sums of the pairs that it met,
which a shuffle adds up. A visit is in at most ``2 · gap`` pairs, however popular its item and however long its user's
history: the work is linear in visits, and no item or user holds a task up.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from pydantic import Field
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from shoprec import arrow
from shoprec.retrieval.latest import latest
from shoprec.settings import Settings
from shoprec.whole import whole

#: Visits whose pairs are made at a time: at 20 places apart some two million, 16 bytes each and as much for their sort.
PIECE_VISITS = 50_000

#: What weights are whole numbers of, so that their sum does not depend on the order of rows.
UNIT = 1.0 / (1 << 24)

_SUMS = "item_idx int, neighbour_idx int, weight long, support long"
_SUMS_ARROW = pa.schema(
    [("item_idx", pa.int32()), ("neighbour_idx", pa.int32()), ("weight", pa.int64()), ("support", pa.int64())]
)


class CoVisitSettings(Settings):
    """What two items of one history are to each other."""

    neighbours: int = Field(100, ge=1, le=1000, description="neighbours kept for an item")
    gap: int = Field(20, ge=1, le=200, description="places apart in a history up to which two items count")
    gap_decay: float = Field(0.9, gt=0, le=1, description="weight of a pair for each further place between them")
    backward: float = Field(
        0.5, ge=0, le=1, description="weight of what came before, where that of what came next is 1"
    )
    half_life_days: float = Field(365.0, gt=0, le=36_500, description="age at which a pair counts half, days")
    popularity: float = Field(
        0.3, ge=0, le=1, description="power of an item's visits that its similarity is divided by"
    )
    max_items: int = Field(200, ge=2, le=10_000, description="visits of a user that count, the latest")


def co_visits(visits: DataFrame, settings: CoVisitSettings) -> DataFrame:
    """The items that are met most after (and, for less, before) each item.

    A pair of visits g places apart weighs gap_decay^(g - 1) / log(2 + visits of the user), halved with the age of the
    later one; for the earlier item as neighbour of the later one ``backward`` times that. The sum is divided by the
    visits of the neighbour to the power ``popularity``. Visits that do not count, beyond ``max_items``, count nowhere.
    Visits of one moment have no order: either counts the mean of both ways, and their places follow a hash, so that in
    a basket longer than ``gap`` not all pairs are met.

    :param visits: holder string, item_idx int, at (orderable long: when), age_days double; one row a visit
    :return: item_idx, neighbour_idx, similarity (> 0), support (pairs of visits); at most ``neighbours`` rows an item,
        ties by hash of the pair
    """
    kept = latest(visits, "holder", settings.max_items)

    def pairs(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return (_pairs(table, settings) for table in whole(batches, "holder", PIECE_VISITS))

    partial = kept.select("holder", "item_idx", "at", "age_days").mapInArrow(pairs, _SUMS)
    sums = partial.groupBy("item_idx", "neighbour_idx").agg(
        F.sum("weight").alias("weight"), F.sum("support").alias("support")
    )
    popular = kept.groupBy(F.col("item_idx").alias("neighbour_idx")).agg(F.count(F.lit(1)).alias("visits"))
    similarity = F.col("weight") * UNIT / F.pow("visits", F.lit(settings.popularity))
    measured = sums.where("weight > 0").join(popular, on="neighbour_idx", how="inner")
    measured = measured.select("item_idx", "neighbour_idx", similarity.alias("similarity"), "support")
    order = Window.partitionBy("item_idx").orderBy(F.desc("similarity"), F.xxhash64("item_idx", "neighbour_idx"))
    rank = F.row_number().over(order.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    return measured.withColumn("rank", rank).where(F.col("rank") <= settings.neighbours).drop("rank")


def _pairs(visits: pa.Table, settings: CoVisitSettings) -> pa.RecordBatch:
    """The sums of the pairs within the histories of ``visits``, whole ones, the latest visit of each first."""
    holder = arrow.column(visits, "holder").dictionary_encode().indices.to_numpy()
    item, at = arrow.numbers(visits, "item_idx").astype(np.int64), arrow.numbers(visits, "at")
    weight = 0.5 ** (arrow.numbers(visits, "age_days") / settings.half_life_days)
    weight /= np.log(2.0 + np.bincount(holder)[holder])
    keys, weights = [], []
    for gap in range(1, min(settings.gap, len(item) - 1) + 1):
        later, earlier = slice(None, -gap), slice(gap, None)
        there = np.flatnonzero((holder[later] == holder[earlier]) & (item[later] != item[earlier]))
        next_item, last_item = item[later][there], item[earlier][there]
        pair = settings.gap_decay ** (gap - 1) * weight[later][there]
        tied = at[later][there] == at[earlier][there]
        mean = (1.0 + settings.backward) / 2.0
        keys += [(last_item << 32) | next_item, (next_item << 32) | last_item]
        weights += [pair * np.where(tied, mean, 1.0), pair * np.where(tied, mean, settings.backward)]
    key = np.concatenate(keys) if keys else np.empty(0, np.int64)
    order = np.argsort(key, kind="stable")
    key, parts = key[order], np.rint(np.concatenate(weights or [np.empty(0)])[order] / UNIT).astype(np.int64)
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.empty(0, np.int64)
    sums = np.add.reduceat(parts, first) if len(key) else parts
    support = np.diff(np.append(first, len(key)))
    columns = (key[first] >> 32, key[first] & 0xFFFFFFFF, sums, support)
    arrays = [pa.array(values, kind) for values, kind in zip(columns, _SUMS_ARROW.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=_SUMS_ARROW)
