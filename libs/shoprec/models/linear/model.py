"""linear: how much each item of a user's history says for another, all of them weighed against each other at once.

EASE (Steck 2019, https://doi.org/10.1145/3308558.3313710): the ridge regression of every item on all others has one
closed form, the inverse of their Gram matrix. It is exact for the ``head``, the items that most users have, on which
the others are regressed as well, by the same inverse: these are foretold, and foretell nothing. Neighbours that say
something for an item are kept, what speaks against it is not.

Scale: one task holds the histories (some 40 bytes an entry, of ``max_entries``) and as much for each pair of the head:
0.8 GB and 640 MB by the usual settings. Its work grows with the cube of the head and with head^2 x ``tail``.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from shoprec import arrow
from shoprec.hashes import taken
from shoprec.models.item_knn.model import named
from shoprec.models.linear.config import LinearConfig, LinearSettings
from shoprec.retrieval.best import Best
from shoprec.retrieval.inputs import Inputs
from shoprec.retrieval.latest import latest
from shoprec.retrieval.neighbour_scores import spoken_by_latest
from shoprec.retrieval.ties import number_hashes

CONFIG = LinearConfig

#: Items that are foretold at a time.
_BLOCK = 512
#: Items of the head whose common users are counted at a time.
_ROWS = 64

_RESULT = "item_idx int, neighbour_idx int, similarity double, support long"
_RESULT_ARROW = pa.schema(
    [("item_idx", pa.int32()), ("neighbour_idx", pa.int32()), ("similarity", pa.float64()), ("support", pa.int64())]
)


def foretold(purchases: DataFrame, items: DataFrame, settings: LinearSettings) -> DataFrame:
    """Items that speak for others: item_id, neighbour_id, similarity (> 0), support (users of both), rank.

    :param purchases: user_id, item_idx, at
    """
    last = purchases.groupBy("user_id", "item_idx").agg(F.max("at").alias("at"))
    kept = latest(last, "user_id", settings.max_items)
    share = settings.max_entries / max(1, kept.count())
    drawn = kept.where(taken(min(1.0, share), 0, "user_id"))
    rows = drawn.groupBy("user_id").agg(F.collect_list("item_idx").alias("items")).select("items")

    def solve(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held = [arrow.lists(batch, "items") for batch in batches if batch.num_rows]
        if held:
            lengths, chosen = (np.concatenate(part) for part in zip(*held, strict=True))
            del held
            with threadpool_limits(1, user_api="blas"):
                found = weights(lengths, chosen, settings)
            columns = [pa.array(values, kind) for values, kind in zip(found, _RESULT_ARROW.types, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=_RESULT_ARROW)

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
    ones, ends = np.ones(len(chosen), np.int32), np.concatenate([[0], np.cumsum(lengths)])
    held = sparse.csr_array((ones, chosen.astype(np.int32), ends), shape=(len(lengths), int(chosen.max()) + 1))
    counts = np.bincount(chosen)
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    head, tail = np.sort(order[: settings.head]), np.sort(order[settings.head :][: settings.tail])
    of_item, on_head = held.T.tocsr(), held[:, head]
    common = (of_item[head] @ on_head).toarray()
    inverse = _inverse(common + settings.regularisation * np.eye(len(head)))
    best = Best(number_hashes(head), settings.neighbours)
    said = -inverse / np.diag(inverse)
    np.fill_diagonal(said, 0.0)
    _offer(best, said, common, head)
    for at in range(0, len(tail), _BLOCK):
        some = tail[at : at + _BLOCK]
        shared = (of_item[some] @ on_head).toarray().T
        _offer(best, inverse @ shared, shared, some)
    row, neighbour, similarity = best.take()
    return head[row], neighbour, similarity, _support(of_item[head], held, row, neighbour)


def _inverse(gram: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of a positive definite matrix."""
    factor, lower = linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    inverse, _ = linalg.lapack.dpotri(factor, lower=lower, overwrite_c=True)
    return np.tril(inverse) + np.tril(inverse, -1).T


def _offer(best: Best, said: npt.NDArray, common: npt.NDArray, names: npt.NDArray) -> None:
    """Where nobody has both, or one speaks against the other, there is nothing to keep."""
    scores = np.where((common > 0) & (said > 0), said, -np.inf).astype(np.float32)
    best.offer_tile(scores, names, number_hashes(names))


def _support(own: sparse.csr_array, held: sparse.csr_array, row: npt.NDArray, item: npt.NDArray) -> npt.NDArray:
    """Users of both items, of each pair of a row of the head and another item; the rows ascend."""
    made, items = np.empty(len(row), np.int64), held.shape[1]
    for at in range(0, own.shape[0], _ROWS):
        mine = slice(*np.searchsorted(row, [at, at + _ROWS]))
        common = (own[at : at + _ROWS] @ held).tocoo()
        key, count = common.row.astype(np.int64) * items + common.col, common.data
        order = np.argsort(key)
        wanted = (row[mine] - at) * items + item[mine]
        made[mine] = count[order][np.searchsorted(key[order], wanted)]
    return made
