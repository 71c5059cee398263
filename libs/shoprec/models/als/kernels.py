"""Compiled kernels of implicit least squares: the rows of a block, each against the vectors of what it holds.

A row with entries (i, r) solves, with confidence c = 1 + alpha r (Hu, Koren and Volinsky 2008, eq. 4),

    (Y'Y + sum (c - 1) y_i y_i' + lambda I) x = sum c y_i

exactly, by Cholesky, or nearly, by some steps of conjugate gradient from where the row stood (Takács, Pilászy and Tikk
2011, https://doi.org/10.1145/2043932.2043987). They compute in the precision of the vectors that they are given, on one
core, and in one order: a repeat on the same kind of machine gives the same bits.

Shapes: R rows of the block, E their entries end to end, N vectors of the other side, F width, G entries at a time.
"""

from collections.abc import Callable

import numba
import numpy as np

#: Share of the right-hand side that conjugate gradient leaves: that of rounding in single precision.
LEAST_REST = 1e-7

#: Entries whose vectors are laid side by side at a time: they stay in a core's cache.
GATHERED = 512


def _compiled(function: Callable) -> Callable:
    options = {"fastmath": True, "error_model": "numpy", "nogil": True}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        # Nowhere to keep what is compiled, as for a wheel on the path of a cluster's workers: each compiles its own.
        return numba.njit(**options)(function)


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

    The other parameters are those of ``exact``.
    """
    width = vectors_NF.shape[1]
    gathered_GF, product_FF, left_FF, right_F = _room(width, vectors_NF.dtype)
    first = 0
    for row, last in enumerate(ends_R):
        columns_C, excess_C = columns_E[first:last], excess_E[first:last]
        left_FF[:], right_F[:] = gram_FF, 0
        # Of few entries each step multiplies by their vectors, of many by the matrix that those add up to.
        few = last - first if last - first <= GATHERED else 0
        if few:
            _gather(columns_C, excess_C, vectors_NF, gathered_GF, right_F)
        else:
            _normal(columns_C, excess_C, vectors_NF, gathered_GF, product_FF, left_FF, right_F)
        for f in range(width):
            left_FF[f, f] += ridge_R[row]
        _descend(left_FF, gathered_GF[:few], right_F, steps, solved_RF[row])
        first = last


@_compiled
def sums(ends_R, columns_E, excess_E, vectors_NF, left_RFF, right_RF):  # noqa: ANN001, ANN201
    """Add each row's share of both sides of its equations to ``left_RFF`` and ``right_RF``."""
    gathered_GF, product_FF, _, _ = _room(vectors_NF.shape[1], vectors_NF.dtype)
    first = 0
    for row, last in enumerate(ends_R):
        columns_C, excess_C = columns_E[first:last], excess_E[first:last]
        _normal(columns_C, excess_C, vectors_NF, gathered_GF, product_FF, left_RFF[row], right_RF[row])
        first = last


@_compiled
def _room(width, dtype):  # noqa: ANN001, ANN202
    """Where a row is worked at: entries' vectors, their product, and both sides of its equations."""
    square = width, width
    return np.empty((GATHERED, width), dtype), np.empty(square, dtype), np.empty(square, dtype), np.empty(width, dtype)


@_compiled
def _gather(columns_C, excess_C, vectors_NF, gathered_GF, right_F):  # noqa: ANN001, ANN202
    """The entries' vectors, each times the root of c - 1; and their share of the right-hand side."""
    for at in range(len(columns_C)):
        vector_F = vectors_NF[columns_C[at]]
        more = vector_F.dtype.type(excess_C[at])
        root, confidence = np.sqrt(more), more + vector_F.dtype.type(1)
        for f in range(len(vector_F)):
            gathered_GF[at, f] = root * vector_F[f]
            right_F[f] += confidence * vector_F[f]


@_compiled
def _normal(columns_C, excess_C, vectors_NF, gathered_GF, product_FF, left_FF, right_F):  # noqa: ANN001, ANN202
    for start in range(0, len(columns_C), GATHERED):
        some = slice(start, start + GATHERED)
        _gather(columns_C[some], excess_C[some], vectors_NF, gathered_GF, right_F)
        own_GF = gathered_GF[: len(columns_C[some])]
        np.dot(own_GF.T, own_GF, product_FF)
        for f in range(len(right_F)):
            for g in range(len(right_F)):
                left_FF[f, g] += product_FF[f, g]


@_compiled
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


@_compiled
def _descend(left_FF, own_GF, right_F, steps, solved_F):  # noqa: ANN001, ANN202
    """Conjugate gradient for (``left_FF`` + own'own) x = ``right_F``."""
    width = len(right_F)
    turned_F = np.empty_like(right_F)
    _times(left_FF, own_GF, solved_F, turned_F)
    rest_F = right_F - turned_F
    way_F = rest_F.copy()
    size = (rest_F * rest_F).sum()
    least = LEAST_REST * LEAST_REST * (right_F * right_F).sum()
    for _ in range(steps):
        _times(left_FF, own_GF, way_F, turned_F)
        bent = (way_F * turned_F).sum()
        # What is left is rounding error, and gives no direction.
        if not (size > least and bent > 0):
            break
        far = size / bent
        before, size = size, right_F.dtype.type(0)
        for f in range(width):
            solved_F[f] += far * way_F[f]
            rest_F[f] -= far * turned_F[f]
            size += rest_F[f] * rest_F[f]
        for f in range(width):
            way_F[f] = rest_F[f] + size / before * way_F[f]


@_compiled
def _times(left_FF, own_GF, vector_F, product_F):  # noqa: ANN001, ANN202
    width = len(vector_F)
    product_F[:] = 0
    for f in range(width):
        for g in range(width):
            product_F[g] += vector_F[f] * left_FF[f, g]
    for at in range(len(own_GF)):
        size = vector_F.dtype.type(0)
        for f in range(width):
            size += own_GF[at, f] * vector_F[f]
        for f in range(width):
            product_F[f] += size * own_GF[at, f]
