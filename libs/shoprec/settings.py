"""The base of every configuration class: frozen, and strict about names and values."""

import difflib
from collections.abc import Iterable
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen set of settings. Unknown names and wrong values raise at construction."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    #: Settings that say how and where work is done, not what comes out: a run goes on under others.
    PLACE: ClassVar[frozenset[str]] = frozenset()

    #: Settings that say where a job puts what it makes for others: the run is the same, the job is done again.
    TARGET: ClassVar[frozenset[str]] = frozenset()


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint naming the known word closest to ``name``, or all known words when none is close."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
