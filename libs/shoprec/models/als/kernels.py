"""Compiled kernels of implicit least squares: the rows of a block, each against the vectors of what it holds.

A row with entries (i, r) solves, with confidence c = 1 + alpha r (Hu, Koren and Volinsky 2008, eq. 4),

    (Y'Y + sum (c - 1) y_i y_i' + lambda I) x = sum c y_i

exactly, by Cholesky, or nearly, by some steps of conjugate gradient from where the row stood (Takács, Pilászy and Tikk
2011, https://doi.org/10.1145/2043932.2043987). They compute in the precision of the vectors that they are given, on one
core, and in one order: a repeat on the same kind of machine gives the same bits.

Shapes: R rows of the block, T some of them, E their entries end to end, G some of these, N vectors of the other side, F
width.
"""

import numba
import numpy as np

from shoprec.compiled import inlined, kernel

#: Share of the right-hand side that conjugate gradient leaves: that of rounding in single precision.
LEAST_REST = 1e-7

#: Entries whose vectors are laid side by side at a time, and rows that go together: they stay in a core's cache.
GATHERED, TOGETHER = 1024, 64


_compiled, _helper = kernel(fastmath=True), inlined(fastmath=True)


@_compiled
def exact(ends_R, columns_E, excess_E, vectors_NF, gram_FF, ridge_R, solved_RF):  # noqa: ANN001, ANN201
    """Fill ``solved_RF`` with the minimum of each row.

    :param ends_R: where each row's entries end
    :param columns_E: places among ``vectors_NF``
    :param excess_E: c - 1
    :param gram_FF: Y'Y of all vectors of the other side, not of those at hand alone
    :param ridge_R: lambda of each row
    :raises LinAlgError: the equations of a row are not positive definite in this precision
    """
    width = vectors_NF.shape[1]
    gathered_GF, product_FF, left_FF, right_F = _room(width, vectors_NF.dtype)
    first = 0
    for row, last in enumerate(ends_R):
        left_FF[:], right_F[:] = gram_FF, 0
        _normal(columns_E[first:last], excess_E[first:last], vectors_NF, gathered_GF, product_FF, left_FF, right_F)
        for f in range(width):
            left_FF[f, f] += ridge_R[row]
        _solve(left_FF, right_F, solved_RF[row])
        first = last


@_compiled
def conjugate(ends_R, columns_E, excess_E, vectors_NF, gram_FF, ridge_R, steps, solved_RF):  # noqa: ANN001, ANN201
    """Bring each row of ``solved_RF``, its start, ``steps`` steps of conjugate gradient nearer to its minimum.

    The other parameters are those of ``exact``. Rows go together, so that Y'Y meets all of them in one product.
    """
    width, kind = vectors_NF.shape[1], vectors_NF.dtype
    gathered_GF, left_FF = np.empty((GATHERED, width), kind), np.empty_like(gram_FF)
    product_FF, none_GF = np.empty_like(gram_FF), np.empty((0, width), kind)
    right_TF, held_T = np.empty((TOGETHER, width), kind), np.empty(TOGETHER + 1, np.int64)
    first = row = 0
    while row < len(ends_R):
        last, count = row, 0
        held_T[0] = 0
        while last < len(ends_R) and count < TOGETHER and ends_R[last] - first <= GATHERED:
            count += 1
            held_T[count] = ends_R[last] - first
            last += 1
        if count:
            right_TF[:count] = 0
            for at in range(count):
                some = slice(first + held_T[at], first + held_T[at + 1])
                own_GF = gathered_GF[held_T[at] : held_T[at + 1]]
                _gather(columns_E[some], excess_E[some], vectors_NF, own_GF, right_TF[at])
            own, left_FF[:] = gathered_GF[: held_T[count]], gram_FF
        else:
            # Of so many entries each step multiplies by the matrix that they add up to, not by their vectors.
            last, count, right_TF[0], left_FF[:] = row + 1, 1, 0, gram_FF
            some = slice(first, ends_R[row])
            _normal(columns_E[some], excess_E[some], vectors_NF, gathered_GF, product_FF, left_FF, right_TF[0])
            own, held_T[1] = none_GF, 0
        _descend(left_FF, own, held_T[: count + 1], ridge_R[row:last], right_TF[:count], steps, solved_RF[row:last])
        first, row = ends_R[last - 1], last


@_compiled
def sums(ends_R, columns_E, excess_E, vectors_NF, left_RFF, right_RF):  # noqa: ANN001, ANN201
    """Add each row's share of both sides of its equations to ``left_RFF`` and ``right_RF``."""
    gathered_GF, product_FF, _, _ = _room(vectors_NF.shape[1], vectors_NF.dtype)
    first = 0
    for row, last in enumerate(ends_R):
        columns_C, excess_C = columns_E[first:last], excess_E[first:last]
        _normal(columns_C, excess_C, vectors_NF, gathered_GF, product_FF, left_RFF[row], right_RF[row])
        first = last


@_helper
def _room(width, dtype):  # noqa: ANN001, ANN202
    """Where a row is worked at: entries' vectors, their product, and both sides of its equations."""
    square = width, width
    return np.empty((GATHERED, width), dtype), np.empty(square, dtype), np.empty(square, dtype), np.empty(width, dtype)


@_helper
def _gather(columns_C, excess_C, vectors_NF, gathered_GF, right_F):  # noqa: ANN001, ANN202
    """The entries' vectors, each times the root of c - 1; and their share of the right-hand side."""
    for at in range(len(columns_C)):
        vector_F = vectors_NF[columns_C[at]]
        more = vector_F.dtype.type(excess_C[at])
        root, confidence = np.sqrt(more), more + vector_F.dtype.type(1)
        for f in range(len(vector_F)):
            gathered_GF[at, f] = root * vector_F[f]
            right_F[f] += confidence * vector_F[f]


@_helper
def _normal(columns_C, excess_C, vectors_NF, gathered_GF, product_FF, left_FF, right_F):  # noqa: ANN001, ANN202
    for start in range(0, len(columns_C), GATHERED):
        some = slice(start, start + GATHERED)
        _gather(columns_C[some], excess_C[some], vectors_NF, gathered_GF, right_F)
        own_GF = gathered_GF[: len(columns_C[some])]
        np.dot(own_GF.T, own_GF, product_FF)
        for f in range(len(right_F)):
            for g in range(len(right_F)):
                left_FF[f, g] += product_FF[f, g]


@_helper
def _solve(left_FF, right_F, solved_F):  # noqa: ANN001, ANN202
    lower_FF = np.linalg.cholesky(left_FF)
    width = len(right_F)
    for f in range(width):
        total = right_F[f]
        for g in range(f):
            total -= lower_FF[f, g] * solved_F[g]
        solved_F[f] = total / lower_FF[f, f]
    for f in range(width - 1, -1, -1):
        solved_F[f] /= lower_FF[f, f]
        for g in range(f):
            solved_F[g] -= lower_FF[f, g] * solved_F[f]


@_helper
def _descend(left_FF, own_GF, held_T, ridge_T, right_TF, steps, solved_TF):  # noqa: ANN001, ANN202
    """Conjugate gradient for (``left_FF`` + ridge + own'own) x = right, of some rows.

    :param held_T: where the ``own_GF`` of each row begin, and where the last end
    """
    turned_TF = np.empty_like(right_TF)
    _times(left_FF, own_GF, held_T, ridge_T, solved_TF, turned_TF)
    rest_TF = right_TF - turned_TF
    way_TF = rest_TF.copy()
    size_T, least_T = np.empty_like(ridge_T), np.empty_like(ridge_T)
    for at in range(len(ridge_T)):
        size_T[at] = (rest_TF[at] * rest_TF[at]).sum()
        least_T[at] = LEAST_REST * LEAST_REST * (right_TF[at] * right_TF[at]).sum()
    for _ in range(steps):
        _times(left_FF, own_GF, held_T, ridge_T, way_TF, turned_TF)
        for at in range(len(ridge_T)):
            bent = (way_TF[at] * turned_TF[at]).sum()
            # What is left is rounding error, and gives no direction.
            if not (size_T[at] > least_T[at] and bent > 0):
                size_T[at] = 0
                continue
            far, before, size = size_T[at] / bent, size_T[at], right_TF.dtype.type(0)
            for f in range(right_TF.shape[1]):
                solved_TF[at, f] += far * way_TF[at, f]
                rest_TF[at, f] -= far * turned_TF[at, f]
                size += rest_TF[at, f] * rest_TF[at, f]
            size_T[at] = size
            for f in range(right_TF.shape[1]):
                way_TF[at, f] = rest_TF[at, f] + size / before * way_TF[at, f]


@_helper
def _times(left_FF, own_GF, held_T, ridge_T, vectors_TF, product_TF):  # noqa: ANN001, ANN202
    np.dot(vectors_TF, left_FF, product_TF)
    width = len(left_FF)
    for row in range(len(ridge_T)):
        for f in range(width):
            product_TF[row, f] += ridge_T[row] * vectors_TF[row, f]
        for at in range(held_T[row], held_T[row + 1]):
            size = ridge_T.dtype.type(0)
            for f in range(width):
                size += own_GF[at, f] * vectors_TF[row, f]
            for f in range(width):
                product_TF[row, f] += size * own_GF[at, f]


def compile_for_als() -> None:
    """Compile the kernels for the types that ``als`` gives them first, or load what was compiled before."""
    ends, places, singles, steps = numba.int64[::1], numba.int32[::1], numba.float32[::1], numba.int64
    single, double = numba.float32, numba.float64
    told = ends, places, singles, single[:, ::1]
    exact.compile((*told, single[:, ::1], singles, single[:, ::1]))
    conjugate.compile((*told, single[:, ::1], singles, steps, single[:, ::1]))
    sums.compile((*told, double[:, :, ::1], double[:, ::1]))
