"""How numeric kernels are compiled: by numba, for one core, without Python's lock, and kept beside their file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}


def kernel(*, any_order: bool) -> Callable[[Callable], Any]:
    """A decorator for what is called from Python.

    :param any_order: whether sums may be added up in any order, and nothing is NaN or infinite
    """

    def compiled(function: Callable) -> Any:
        # In a wheel or zip on the path of a cluster's workers nothing can be kept, and numba would keep it in
        # somebody's home: there each worker compiles its own.
        kept = os.access(Path(function.__code__.co_filename).parent, os.W_OK)
        return numba.njit(cache=kept, fastmath=any_order, **_OPTIONS)(function)

    return compiled


def inlined(*, any_order: bool) -> Callable[[Callable], Any]:
    """A decorator for what kernels call; ``any_order`` as that of the kernels.

    It becomes part of the kernel always: called, it would be another machine code, with sums in another order, in the
    process that compiled it than in those that load what it kept.
    """
    return numba.njit(forceinline=True, fastmath=any_order, **_OPTIONS)
