"""linear: how much each item of a user's history says for another, all of them weighed against each other at once.

EASE (Steck 2019, https://doi.org/10.1145/3308558.3313710): the ridge regression of every item on all others has one
closed form, the inverse of their Gram matrix. It is exact for the ``head``, the items that most users have, on which
the others are regressed as well, by the same inverse: these are foretold, and foretell nothing. Neighbours that say
something for an item are kept, what speaks against it is not.

Scale: one task holds the histories (4 bytes an entry, of ``max_users`` users, drawn by hash, and ``max_items`` items of
each) and some 40 bytes for each pair of the head: 640 MB at 4,000. Its work grows with the cube of the head and, for
each further item, with its square.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from shoprec import arrow
from shoprec.models.item_knn.model import named
from shoprec.models.linear.config import LinearConfig, LinearSettings
from shoprec.retrieval.best import Best
from shoprec.retrieval.inputs import Inputs
from shoprec.retrieval.neighbour_scores import spoken_by_latest
from shoprec.retrieval.ties import id_hash, number_hashes

CONFIG = LinearConfig

#: Items that are foretold at a time.
_BLOCK = 512

_STEPS = 1_000_000

_RESULT = "item_idx int, neighbour_idx int, similarity double, support long"
_RESULT_ARROW = pa.schema(
    [("item_idx", pa.int32()), ("neighbour_idx", pa.int32()), ("similarity", pa.float64()), ("support", pa.int64())]
)


def foretold(purchases: DataFrame, items: DataFrame, settings: LinearSettings) -> DataFrame:
    """Items that speak for others: item_id, neighbour_id, similarity (> 0), support (users of both), rank.

    :param purchases: user_id, item_idx, at
    """
    last = purchases.groupBy("user_id", "item_idx").agg(F.max("at").alias("at"))
    latest = Window.partitionBy("user_id").orderBy(F.desc("at"), F.xxhash64("user_id", "item_idx"))
    kept = last.withColumn("place", F.row_number().over(latest)).where(F.col("place") <= settings.max_items)
    share = settings.max_users / max(1, purchases.agg(F.approx_count_distinct("user_id")).first()[0])
    drawn = kept.where(F.pmod(id_hash("user_id"), F.lit(_STEPS)) < int(min(1.0, share) * _STEPS))
    rows = drawn.groupBy("user_id").agg(F.collect_list("item_idx").alias("items")).select("items")

    def solve(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held = [arrow.lists(batch, "items") for batch in batches if batch.num_rows]
        if held:
            lengths, chosen = (np.concatenate(part) for part in zip(*held, strict=True))
            with threadpool_limits(1, user_api="blas"):
                yield pa.RecordBatch.from_arrays(
                    [pa.array(values, kind) for values, kind in zip(
                        weights(lengths, chosen, settings), _RESULT_ARROW.types, strict=True
                    )],
                    schema=_RESULT_ARROW,
                )  # fmt: skip

    return named(rows.repartition(1).mapInArrow(solve, _RESULT), items)


def propose(inputs: Inputs, near: DataFrame, config: LinearConfig, new: int, bought: int) -> DataFrame:
    """user_id, item_idx, score: what the user's latest ``items`` say, each ``decay`` times what the next one counts.

    :param near: item_id, neighbour_id, similarity
    """
    return spoken_by_latest(inputs, near, config.items, config.decay, new, bought)


def weights(
    lengths: npt.NDArray[np.integer], chosen: npt.NDArray[np.integer], settings: LinearSettings
) -> tuple[npt.NDArray, ...]:
    """(item, neighbour, similarity, support): what each item of the head says for others with common users.

    :param lengths: items of each user; ``chosen``: their numbers, one user after another
    """
    names, places = np.unique(chosen, return_inverse=True)
    shape, ends = (len(lengths), len(names)), np.concatenate([[0], np.cumsum(lengths)])
    held = sparse.csr_array((np.ones(len(places)), places, ends), shape=shape)
    counts = held.sum(axis=0)
    order = np.argsort(-counts, kind="stable")
    head, tail = np.sort(order[: settings.head]), np.sort(order[settings.head :])
    own = held[:, head].T.tocsr()
    common = (own @ held[:, head]).toarray()
    inverse = _inverse(common + settings.regularisation * np.eye(len(head)))
    best = Best(number_hashes(names[head].astype(np.int64)), settings.neighbours)
    said = -inverse / np.diag(inverse)
    np.fill_diagonal(said, 0.0)
    _offer(best, said, common, names[head])
    for at in range(0, len(tail), _BLOCK):
        some = tail[at : at + _BLOCK]
        shared = (own @ held[:, some]).toarray()
        _offer(best, inverse @ shared, shared, names[some])
    row, neighbour, similarity = best.take()
    return names[head][row], neighbour, similarity, _support(own, held, row, np.searchsorted(names, neighbour))


def _inverse(gram: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of a positive definite matrix."""
    factor, lower = linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    inverse, _ = linalg.lapack.dpotri(factor, lower=lower, overwrite_c=True)
    return np.tril(inverse) + np.tril(inverse, -1).T


def _offer(best: Best, said: npt.NDArray, common: npt.NDArray, names: npt.NDArray) -> None:
    """Where nobody has both, or one speaks against the other, there is nothing to keep."""
    scores = np.where((common > 0) & (said > 0), said, -np.inf).astype(np.float32)
    best.offer_tile(scores, names.astype(np.int64), number_hashes(names.astype(np.int64)))


def _support(own: sparse.csr_array, held: sparse.csr_array, row: npt.NDArray, column: npt.NDArray) -> npt.NDArray:
    """Users of both items, of each pair of a row of the head and a column; the rows ascend."""
    made = np.empty(len(row), np.int64)
    for at in range(0, own.shape[0], 64):
        mine = slice(*np.searchsorted(row, [at, at + 64]))
        made[mine] = (own[at : at + 64] @ held).toarray()[row[mine] - at, column[mine]]
    return made
