"""Commits that lose a race with another one, and are tried again."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from delta.exceptions import (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
)

P = ParamSpec("P")
R = TypeVar("R")

#: What Delta raises at the loser of two commits that touch the same rows.
CONFLICTS = (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
)

#: A merge that lost a race is tried again this often: other runs may add their own rows at the same moment.
MERGE_TRIES = 5


def again_on_conflict(function: Callable[P, R]) -> Callable[P, R]:
    """Repeat an idempotent merge that lost a race with another commit, at most ``MERGE_TRIES`` times."""

    @functools.wraps(function)
    def repeat(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(MERGE_TRIES - 1):
            try:
                return function(*args, **kwargs)
            except CONFLICTS:
                continue
        return function(*args, **kwargs)

    return repeat
