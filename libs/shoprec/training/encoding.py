"""How a table's columns become numbers for a model, as facts that snapshots and models carry."""

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Numeric:
    """A numeric column: (log(1 + x) or x, less the mean) over the standard deviation; null and constant: 0."""

    name: str
    log: bool
    mean: float
    deviation: float


@dataclass(frozen=True)
class Words:
    """A column of words: the i-th of ``values`` (the most frequent first) is i + 1, any other word and null are 0."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Encoding:
    """What was learned of a table's columns."""

    numeric: tuple[Numeric, ...]
    words: tuple[Words, ...]

    def facts(self) -> dict[str, Any]:
        """The encoding as JSON-able facts."""
        return asdict(self)

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        """The encoding that :meth:`facts` described."""
        words = (Words(one["name"], tuple(one["values"])) for one in facts["words"])
        return cls(tuple(Numeric(**one) for one in facts["numeric"]), tuple(words))

    @property
    def numeric_names(self) -> list[str]:
        """The coded numeric columns, in order."""
        return [f"n_{one.name}" for one in self.numeric]

    @property
    def word_sizes(self) -> dict[str, int]:
        """The coded columns of words, in order -> one more than the highest number in them."""
        return {f"w_{one.name}": len(one.values) + 1 for one in self.words}
