"""How numeric kernels are compiled: by numba, for one core, without Python's lock, and kept beside their file."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}


def kernel(*, fastmath: bool, uses: tuple[Callable, ...] = ()) -> Callable[[Callable], Any]:
    """A decorator for what is called from Python.

    :param fastmath: whether sums may be added up in any order, and no number is NaN or infinite
    :param uses: functions of other files that become part of the kernel
    """

    def compiled(function: Callable) -> Any:
        # In a wheel or zip on the path of a cluster's workers nothing can be kept, and numba would keep it in
        # somebody's home: there each worker compiles its own.
        kept = os.access(Path(function.__code__.co_filename).parent, os.W_OK)
        if kept:
            # numba looks whether the kernel's own file has changed. What else it is made of goes into its name.
            function.__qualname__ += f"_{_digest(compiled, *uses)}"
        return numba.njit(cache=kept, fastmath=fastmath, **_OPTIONS)(function)

    return compiled


def inlined(*, fastmath: bool) -> Callable[[Callable], Any]:
    """A decorator for what kernels call; ``fastmath`` as that of the kernels.

    It becomes part of the kernel always: called, it would be another machine code, with sums in another order, in the
    process that compiled it than in those that load what it kept.
    """
    return numba.njit(forceinline=True, fastmath=fastmath, **_OPTIONS)


def _digest(*functions: Callable) -> str:
    """Of the files that the functions are written in."""
    files = (Path(function.__code__.co_filename).read_bytes() for function in functions)
    return hashlib.sha256(b"".join(files)).hexdigest()[:8]
