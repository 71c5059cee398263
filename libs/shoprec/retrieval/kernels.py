"""Compiled kernels of lists: the best k of each row, as a heap whose root is the worst entry that is kept.

Higher scores are better; of equal ones, the lower tie hash. An entry costs a comparison with its row's root, and one
that is kept log k more.

The heaps are five arrays: how many entries each row has and where its room begins, int64 [R] and [R + 1], and, for all
rows end to end, the scores (float64), tie hashes and items (int64) of the entries, [N].

Shapes: R rows, N room of all, K room of one, E entries offered, C columns of a tile.
"""

import numba
import numpy as np

from shoprec.compiled import inlined, kernel
from shoprec.retrieval import ties

#: Below them no score is finite.
_LEAST, _LEAST_SINGLE = np.finfo(np.float64).min, np.finfo(np.float32).min

#: Scores that are compared with the root at once, as few reach it: so many that the processor takes several at a time.
_STRETCH = 64

_compiled, _helper = kernel(fastmath=False, uses=(ties.mixed,)), inlined(fastmath=False)
_mixed = _helper(ties.mixed)


@_helper
def _worse(score, tie, than, than_tie):  # noqa: ANN001, ANN202
    return score < than or (score == than and tie > than_tie)


@_helper
def _sink(score_K, tie_K, item_K, count, score, tie, item):  # noqa: ANN001, ANN202
    """Put an entry in the place of the root of the first ``count``."""
    at, child = 0, 1
    while child < count:
        after = child + 1
        if after < count:
            # Added, not branched on: which of two children is worse cannot be foreseen.
            if score_K[after] == score_K[child]:
                child += np.int64(tie_K[after] > tie_K[child])
            else:
                child += np.int64(score_K[after] < score_K[child])
        if not _worse(score_K[child], tie_K[child], score, tie):
            break
        score_K[at], tie_K[at], item_K[at] = score_K[child], tie_K[child], item_K[child]
        at, child = child, 2 * child + 1
    score_K[at], tie_K[at], item_K[at] = score, tie, item


@_helper
def _add(score_K, tie_K, item_K, count, score, tie, item):  # noqa: ANN001, ANN202
    """Take in an entry, if it is better than the worst of ``count`` or there is room; how many there are then."""
    if count == len(score_K):
        if _worse(score_K[0], tie_K[0], score, tie):
            _sink(score_K, tie_K, item_K, count, score, tie, item)
        return count
    at = count
    while at > 0:
        parent = (at - 1) // 2
        if not _worse(score, tie, score_K[parent], tie_K[parent]):
            break
        score_K[at], tie_K[at], item_K[at] = score_K[parent], tie_K[parent], item_K[parent]
        at = parent
    score_K[at], tie_K[at], item_K[at] = score, tie, item
    return count + 1


@_helper
def _tie(row_hash, item_hash):  # noqa: ANN001, ANN202
    return np.int64(_mixed(np.uint64(row_hash), np.uint64(item_hash)))


@_compiled
def offer(row_E, item_E, score_E, hash_E, row_hash_R, heaps):  # noqa: ANN001, ANN201
    """Offer entries to the heaps of their rows; a score that is not a number, or minus infinity, is none.

    :param hash_E: the ``id_hash`` of each item, as ``row_hash_R`` those of the rows
    """
    count_R, first_R, score_N, tie_N, item_N = heaps
    for at in range(len(row_E)):
        row, score = row_E[at], score_E[at]
        mine = slice(first_R[row], first_R[row + 1])
        room, score_K = mine.stop - mine.start, score_N[mine]
        root = score_K[0] if 0 < room == count_R[row] else _LEAST
        if room and score >= root:
            tie = _tie(row_hash_R[row], hash_E[at])
            count_R[row] = _add(score_K, tie_N[mine], item_N[mine], count_R[row], score, tie, item_E[at])


@_helper
def _reaching(score_C, root, reaching_C):  # noqa: ANN001, ANN202
    """Put the places of the scores that reach the root into ``reaching_C``; how many there are."""
    found, whole = 0, len(score_C) // _STRETCH * _STRETCH
    for first in range(0, whole, _STRETCH):
        score_S, any_reaches = score_C[first : first + _STRETCH], np.int32(0)
        for at in range(_STRETCH):
            any_reaches |= np.int32(score_S[at] >= root)
        if any_reaches:
            found = _reaching_among(score_C, first, first + _STRETCH, root, reaching_C, found)
    return _reaching_among(score_C, whole, len(score_C), root, reaching_C, found)


@_helper
def _reaching_among(score_C, first, last, root, reaching_C, found):  # noqa: ANN001, ANN202
    """As ``_reaching``, of a stretch: without a branch, as where scores reach the root cannot be foreseen."""
    for at in range(first, last):
        reaching_C[found] = at
        found += np.int64(score_C[at] >= root)
    return found


@_compiled
def offer_tile(scores_RC, item_C, hash_C, row_hash_R, heaps):  # noqa: ANN001, ANN201
    """Offer every row the same items. Else as ``offer``."""
    count_R, first_R, score_N, tie_N, item_N = heaps
    reaching_C = np.empty(scores_RC.shape[1], np.int64)
    for row in range(len(scores_RC)):
        mine = slice(first_R[row], first_R[row + 1])
        score_C, score_K, tie_K, item_K = scores_RC[row], score_N[mine], tie_N[mine], item_N[mine]
        count, k = count_R[row], len(score_K)
        if not k:
            continue
        root = np.float32(score_K[0]) if count == k else _LEAST_SINGLE
        found = _reaching(score_C, root, reaching_C)
        for at in reaching_C[:found]:
            if count < k or score_C[at] >= score_K[0]:
                tie = _tie(row_hash_R[row], hash_C[at])
                count = _add(score_K, tie_K, item_K, count, np.float64(score_C[at]), tie, item_C[at])
        count_R[row] = count


@_compiled
def sort(heaps):  # noqa: ANN001, ANN201
    """Put the entries of each row in order, best first: they are heaps no more."""
    count_R, first_R, score_N, tie_N, item_N = heaps
    for row in range(len(count_R)):
        mine = slice(first_R[row], first_R[row + 1])
        score_K, tie_K, item_K = score_N[mine], tie_N[mine], item_N[mine]
        for last in range(count_R[row] - 1, 0, -1):
            score, tie, item = score_K[last], tie_K[last], item_K[last]
            score_K[last], tie_K[last], item_K[last] = score_K[0], tie_K[0], item_K[0]
            _sink(score_K, tie_K, item_K, last, score, tie, item)


def compile_for_lists() -> None:
    """Compile the kernels for the types that ``best`` gives them, or load what was compiled before."""
    whole, double, tile = numba.int64[::1], numba.float64, numba.float32[:, ::1]
    heaps = numba.types.Tuple((whole, whole, double[::1], whole, whole))
    offer.compile((whole, whole, double[::1], whole, whole, heaps))
    offer_tile.compile((tile, whole, whole, whole, heaps))
    sort.compile((heaps,))
