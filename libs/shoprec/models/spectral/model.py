"""Truncated singular value decomposition of the users' weights, by randomised subspace iteration.

Halko, Martinsson and Tropp 2011 (https://doi.org/10.1137/090771806), algorithm 4.4; as a recommender (PureSVD):
Cremonesi, Koren and Turrin 2010 (https://doi.org/10.1145/1864708.1864721), a user's scores being their row of weights
projected onto the strongest directions of all rows. Here a score is also multiplied by a power of the item's recent
popularity, which the directions, being of the whole past, do not know. Tastes of a few, such as those of a small market
with items of its own, have no direction among the strongest: their users get no vector, and no candidates.

A passage multiplies blocks of users, one task each. A block receives the vectors of those items alone that its users
chose, and gives back its share of each item's next vector; shares are added up in parts of the catalogue, which send
the sums back to the blocks that had a share. They travel as one row for each block and part. Within the passages,
vectors of users never travel and nothing is broadcast; to the driver come width x width numbers for each part. A task
holds some 40 bytes for each direction and distinct item of its block.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame, PandasCogroupedOps, Window
from pyspark.sql import functions as F
from scipy import sparse

from shoprec import arrow
from shoprec.models.embeddings import named
from shoprec.models.spectral.config import SpectralConfig
from shoprec.retrieval.ties import id_hash, number_hashes, signs
from shoprec.reuse import reused

#: Eigenvalues of the Gram matrix below this share of the largest are rounding error. They are fourth powers of the
#: singular values: a direction of less than a thousandth of the strongest is not kept.
LEAST_EIGENVALUE = 1e-12

#: A user of whose row the directions hold less than this share has tastes that they do not know.
LEAST_SHARE = 0.01

#: Share of ``cap`` that the faintest weight counts: weights enter by their square, and must not vanish.
LEAST_WEIGHT = 1e-6

#: Items and their vectors between a block of users and a part of the catalogue, as bytes of int32 and float32. A row
#: whose block is ``ALL`` holds the whole part; only it has the Gram matrix of its vectors.
PACKED = "block int, part int, items binary, vectors binary, gram array<double>"
ALL = -1

Matrix = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int32]

_PACKED = pa.schema([
    ("block", pa.int32()), ("part", pa.int32()), ("items", pa.binary()), ("vectors", pa.binary()),
    ("gram", pa.list_(pa.float64())),
])  # fmt: skip


@contextmanager
def fitted(
    samples: DataFrame, user_index: DataFrame, item_index: DataFrame, config: SpectralConfig, seed: int
) -> Iterator[tuple[DataFrame, DataFrame]]:
    """Embeddings of the users and items that have samples, to be read inside the block.

    Narrower than ``rank`` where the samples have fewer directions; none where there are no samples.

    :param samples: user_idx, item_idx, weight (> 0), age_days; the rows of one pair add up
    :param user_index: user_id, user_idx
    :param item_index: item_id, item_idx
    :return: (user_id, vector array<float>), (item_id, vector array<float>); the dot product is the score
    """
    with reused(_pairs(samples, config)) as pairs, reused(_rows(pairs, config), "block") as rows:
        turned = np.eye(config.rank + config.oversampling)
        held: list[DataFrame] = []  # the vectors of the last passage; while one is made, those before it too
        try:
            for _ in range(config.passes):
                held.append(_passage(rows, held[-1] if held else None, turned, seed, config.blocks).persist())
                turned = orthonormal(_gram(held[-1], turned.shape[1]))
                if len(held) > 1:
                    held.pop(0).unpersist()
            turned, vectors = turned[:, : config.rank], held[-1]
            items = _unpacked(vectors, turned).join(_lifts(pairs, config), on="item_idx", how="inner")
            items = items.withColumn("vector", F.transform("vector", lambda x: (x * F.col("lift")).cast("float")))
            users = _together(rows, vectors).applyInArrow(
                lambda own, sent: _users(own, sent, turned), "user_idx int, vector array<float>"
            )
            yield named(users, user_index, "user"), named(items, item_index, "item")
        finally:
            for one in held:
                one.unpersist()


def orthonormal(gram: Matrix) -> Matrix:
    """[width, directions]: what turns vectors with this Gram matrix into orthonormal ones, the strongest first."""
    values, directions = np.linalg.eigh(gram)
    kept = values > max(values.max(initial=0.0) * LEAST_EIGENVALUE, 0.0)
    return (directions[:, kept] / np.sqrt(values[kept]))[:, ::-1]


def _pairs(samples: DataFrame, config: SpectralConfig) -> DataFrame:
    """user_idx, item_idx, weight (at most ``cap``), age: of each user the ``max_items`` latest."""
    summed = F.least(F.sum("weight"), F.lit(config.cap)).cast("double")
    weight = F.greatest(summed, F.lit(config.cap * LEAST_WEIGHT)).alias("weight")
    pairs = samples.groupBy("user_idx", "item_idx").agg(weight, F.min("age_days").alias("age"))
    latest = Window.partitionBy("user_idx").orderBy("age", id_hash(F.col("item_idx").cast("long")))
    return pairs.withColumn("place", F.row_number().over(latest)).where(F.col("place") <= config.max_items)


def _rows(pairs: DataFrame, config: SpectralConfig) -> DataFrame:
    """block, user_idx, items array<int>, weights array<double>: a user's row, in the order of the items."""
    block = F.pmod(F.xxhash64("user_idx"), F.lit(config.blocks)).cast("int").alias("block")
    entries = F.sort_array(F.collect_list(F.struct("item_idx", "weight"))).alias("entries")
    columns = F.col("entries.item_idx").alias("items"), F.col("entries.weight").alias("weights")
    return pairs.groupBy("user_idx").agg(entries).select(block, "user_idx", *columns)


def _lifts(pairs: DataFrame, config: SpectralConfig) -> DataFrame:
    """item_idx, lift: the power of each item's recent popularity."""
    recent = F.count_if(F.col("age") <= config.popularity_days)
    return pairs.groupBy("item_idx").agg(F.pow(1 + recent, F.lit(config.popularity)).alias("lift"))


def _passage(rows: DataFrame, vectors: DataFrame | None, turned: Matrix, seed: int, parts: int) -> DataFrame:
    """``PACKED``: the weights' transpose times the weights times the turned vectors; without vectors, random ones."""
    width = turned.shape[1]
    if vectors is None:
        shares = rows.groupBy("block").applyInArrow(lambda own: _first_shares(own, width, seed, parts), PACKED)
    else:
        shares = _together(rows, vectors).applyInArrow(lambda own, sent: _shares(own, sent, turned, parts), PACKED)
    return shares.groupBy("part").applyInArrow(lambda shares: _added(shares, width), PACKED)


def _gram(vectors: DataFrame, width: int) -> Matrix:
    """The Gram matrix [width, width] of all parts' vectors."""
    parts = vectors.where(F.col("block") == ALL).select("part", "gram").collect()
    # In the parts' order: sums of floats depend on it.
    grams = (np.reshape(part["gram"], (width, width)) for part in sorted(parts, key=lambda part: part["part"]))
    return sum(grams, start=np.zeros((width, width)))


def _together(rows: DataFrame, vectors: DataFrame) -> PandasCogroupedOps:
    """Rows of users and the vectors of their items, by block of users."""
    sent = vectors.where(F.col("block") != ALL).select(F.col("block").alias("into"), "items", "vectors")
    return rows.groupBy("block").cogroup(sent.groupBy("into"))


def _first_shares(rows: pa.Table, width: int, seed: int, parts: int) -> pa.Table:
    """``_shares`` of random vectors."""
    items = np.unique(arrow.lists(rows, "items")[1])
    return _packed_shares(rows, items, signs(items, width, seed), parts)


def _shares(rows: pa.Table, sent: pa.Table, turned: Matrix, parts: int) -> pa.Table:
    """``PACKED``: what one block's users add to the next vectors of their items, by part of the catalogue."""
    return _packed_shares(rows, *_received(sent, turned), parts)


def _packed_shares(rows: pa.Table, items: Numbers, vectors: npt.NDArray, parts: int) -> pa.Table:
    # In the users' order: sums of floats depend on it.
    weights, block = _weights(rows.sort_by("user_idx"), items), int(arrow.numbers(rows, "block")[0])
    shares = weights.T @ (weights @ vectors)
    part = number_hashes(items.astype(np.int64)) % parts
    return arrow.table(
        _PACKED, (_packed(block, one, items[part == one], shares[part == one]) for one in np.unique(part).tolist())
    )


def _users(rows: pa.Table, sent: pa.Table, turned: Matrix) -> pa.Table:
    """user_idx, vector: the turned vectors of each user's items, added up by weight; of the users that they know."""
    items, vectors = _received(sent, turned)
    weights = _weights(rows, items)
    made = weights @ vectors
    known = np.linalg.norm(made, axis=1) >= LEAST_SHARE * np.sqrt(weights.power(2).sum(axis=1))
    users = arrow.numbers(rows, "user_idx")[known]
    return pa.table([pa.array(users), arrow.vectors(made[known])], names=["user_idx", "vector"])


def _weights(rows: pa.Table, items: Numbers) -> sparse.csr_array:
    """[users of the block, items]"""
    lengths, chosen = arrow.lists(rows, "items")
    ends = np.concatenate([[0], np.cumsum(lengths)])
    weights = arrow.lists(rows, "weights")[1], np.searchsorted(items, chosen), ends
    return sparse.csr_array(weights, shape=(len(lengths), len(items)))


def _added(shares: pa.Table, width: int) -> pa.Table:
    """``PACKED`` for each block that had a share in the part, and for ``ALL``: the shares of all blocks added up."""
    part = int(arrow.numbers(shares, "part")[0])
    # In the blocks' order: sums of floats depend on it.
    sent = {row["block"]: _unpack(row, width) for row in shares.sort_by("block").to_pylist()}
    items, place = np.unique(np.concatenate([own for own, _ in sent.values()]), return_inverse=True)
    total = np.zeros((len(items), width))
    np.add.at(total, place, np.concatenate([vectors for _, vectors in sent.values()]))
    total = total.astype(np.float32)
    back = (_packed(block, part, own, total[np.searchsorted(items, own)]) for block, (own, _) in sent.items())
    wide = total.astype(np.float64)
    return arrow.table(_PACKED, [_packed(ALL, part, items, total, wide.T @ wide), *back])


def _received(sent: pa.Table, turned: Matrix) -> tuple[Numbers, Matrix]:
    """(items by number, their turned vectors [items, directions]) of all parts."""
    items, vectors = zip(*(_unpack(row, len(turned)) for row in sent.to_pylist()), strict=True)
    together = np.concatenate(items)
    order = np.argsort(together)
    return together[order], np.concatenate(vectors)[order].astype(np.float64) @ turned


def _unpacked(vectors: DataFrame, turned: Matrix) -> DataFrame:
    """item_idx, vector (turned)."""

    def unpack(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                items, own = _unpack(row, len(turned))
                yield pa.record_batch([pa.array(items), arrow.vectors(own @ turned)], names=["item_idx", "vector"])

    whole = vectors.where(F.col("block") == ALL).select("items", "vectors")
    return whole.mapInArrow(unpack, "item_idx int, vector array<float>")


def _packed(block: int, part: int, items: Numbers, vectors: npt.NDArray, gram: Matrix | None = None) -> tuple:
    numbers = items.astype(np.int32).tobytes(), vectors.astype(np.float32).tobytes()
    return block, part, *numbers, None if gram is None else gram.ravel()


def _unpack(row: dict[str, bytes], width: int) -> tuple[Numbers, npt.NDArray[np.float32]]:
    items = np.frombuffer(row["items"], np.int32)
    return items, np.frombuffer(row["vectors"], np.float32).reshape(len(items), width)
