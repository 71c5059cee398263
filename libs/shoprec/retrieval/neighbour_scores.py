"""Scores of items from the neighbours of what a user bought: the sum of similarity x weight.

A shuffle brings each user's row and, after it, one row for each weighted item with that item's neighbours as arrays; a
task sums complete users as a sparse matrix, some thousand rows at a time. Work is linear in users x items x neighbours.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy import sparse

from shoprec import arrow
from shoprec.retrieval.best import Best
from shoprec.retrieval.inputs import Inputs
from shoprec.retrieval.latest import voices
from shoprec.retrieval.ties import id_hash

_USER, _WEIGHTED = 0, 1
_RESULT = "user_id string, item_idx int, score double"
_RESULT_ARROW = pa.schema([("user_id", pa.string()), ("item_idx", pa.int32()), ("score", pa.float64())])


def neighbour_scores(
    users: DataFrame, weighted: DataFrame, neighbours: DataFrame, new: int, bought: int = 0
) -> DataFrame:
    """The items of highest score for each user: ``new`` that the user has not seen, ``bought`` that they have.

    score(u, j) = sum over the user's items i of weight(u, i) · similarity(i, j).

    :param users: user_id, seen array<int>
    :param weighted: user_id, item_idx, weight (> 0); the items that speak for the user
    :param neighbours: item_idx, neighbour_idx, neighbour_hash (``ties.id_hash`` of its id), similarity (> 0)
    :return: user_id, item_idx, score; equal scores are decided by ``ties.tie_order``
    """
    entry = F.struct("neighbour_idx", "similarity", "neighbour_hash")
    packed = neighbours.groupBy("item_idx").agg(F.sort_array(F.collect_list(entry)).alias("near"))
    user_rows = users.select(
        "user_id",
        F.lit(_USER).alias("kind"),
        F.lit(-1).alias("item_idx"),
        F.lit(0.0).alias("weight"),
        "seen",
        F.array().cast("array<double>").alias("similarities"),
        F.array().cast("array<bigint>").alias("hashes"),
    )
    weighted_rows = weighted.join(packed, on="item_idx", how="inner").select(
        "user_id",
        F.lit(_WEIGHTED).alias("kind"),
        "item_idx",
        F.col("weight").cast("double").alias("weight"),
        F.col("near.neighbour_idx").alias("seen"),
        F.col("near.similarity").alias("similarities"),
        F.col("near.neighbour_hash").alias("hashes"),
    )
    stream = user_rows.unionByName(weighted_rows).withColumn("hash", id_hash("user_id")).repartition("hash")
    stream = stream.sortWithinPartitions("hash", "user_id", "kind", "item_idx")

    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return _score(batches, new, bought)

    return stream.withColumnRenamed("seen", "items").mapInArrow(score, _RESULT)


def spoken(inputs: Inputs, heard: DataFrame, near: DataFrame, new: int, bought: int) -> DataFrame:
    """``neighbour_scores`` of items by their ids, of which those are proposed that may be.

    :param heard: user_id, item_idx, weight (> 0)
    :param near: item_id, neighbour_id, similarity
    """
    numbered = (
        near.select("item_id", F.col("neighbour_id"), "similarity")
        .join(inputs.items, on="item_id", how="inner")
        .drop("item_id")
        .join(inputs.offered.toDF("neighbour_id", "neighbour_idx"), on="neighbour_id", how="inner")
        .select("item_idx", "neighbour_idx", id_hash("neighbour_id").alias("neighbour_hash"), "similarity")
    )
    return neighbour_scores(inputs.users, heard, numbered, new, bought)


def spoken_by_latest(inputs: Inputs, near: DataFrame, items: int, decay: float, new: int, bought: int) -> DataFrame:
    """As ``spoken``, by the user's latest ``items`` (``latest.voices``)."""
    return spoken(inputs, voices(inputs.purchases, items, decay), near, new, bought)


def _score(batches: Iterable[pa.RecordBatch], new: int, bought: int) -> Iterator[pa.RecordBatch]:
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        starts = np.flatnonzero(arrow.numbers(batch, "kind") == _USER)
        # The last user of a batch may go on in the next: it waits.
        if not len(starts):
            waiting.append(batch)
            continue
        waiting.append(batch.slice(0, starts[-1]))
        yield _scored(pa.Table.from_batches(waiting), new, bought)
        waiting = [batch.slice(starts[-1])]
    if waiting:
        yield _scored(pa.Table.from_batches(waiting), new, bought)


def _scored(table: pa.Table, new: int, bought: int) -> pa.RecordBatch:
    """The best items of the complete users in ``table``: a user's row, then the rows of their items."""
    is_user = arrow.numbers(table, "kind") == _USER
    users = table.filter(pa.array(is_user))
    hashes = arrow.numbers(users, "hash")
    lengths, items = arrow.lists(table, "items")
    row_of = np.repeat(np.cumsum(is_user) - 1, lengths)
    from_user = np.repeat(is_user, lengths)
    seen = _cells(row_of[from_user], items[from_user])
    near_lengths, similarities = arrow.lists(table, "similarities")
    value = similarities * np.repeat(arrow.numbers(table, "weight"), near_lengths)
    if not np.isfinite(value).all():
        raise ValueError(f"weights or similarities are not finite: {int((~np.isfinite(value)).sum())} products")
    row, item = row_of[~from_user], items[~from_user]
    summed = sparse.coo_array((value, (row, item)), shape=(len(hashes), int(item.max(initial=0)) + 1)).tocsr()
    row = np.repeat(np.arange(len(hashes)), np.diff(summed.indptr))
    known, first = np.unique(item, return_index=True)
    item_hashes = arrow.lists(table, "hashes")[1][first][np.searchsorted(known, summed.indices)]
    is_seen = np.isin(_cells(row, summed.indices), seen)
    parts = []
    for k, chosen in ((new, ~is_seen), (bought, is_seen)):
        best = Best(hashes, k, np.bincount(row[chosen], minlength=len(hashes)))
        best.offer(row[chosen], summed.indices[chosen], summed.data[chosen], item_hashes[chosen])
        parts.append(best.take())
    row, item, score = (np.concatenate(part) for part in zip(*parts, strict=True))
    columns = [arrow.column(users, "user_id").take(pa.array(row)), pa.array(item, pa.int32()), pa.array(score)]
    return pa.RecordBatch.from_arrays(columns, schema=_RESULT_ARROW)


def _cells(row: np.ndarray, item: np.ndarray) -> np.ndarray:
    return (row.astype(np.int64) << 32) | item.astype(np.int64)
