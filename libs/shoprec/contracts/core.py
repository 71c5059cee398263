"""The shape of a contract: what a table's columns, key and kind of write are."""

from dataclasses import dataclass
from enum import StrEnum


class Write(StrEnum):
    """How a write meets the rows that are already there."""

    APPEND = "append"  #: each ingested file once, by transaction id
    REPLACE = "replace"  #: the slice named by ``Table.slice``, whole; the whole table where it names none
    MERGE = "merge"  #: by key: equal keys are updated, new keys inserted


@dataclass(frozen=True)
class Column:
    """One column: its Spark SQL type, its meaning with unit and range, and what the audit holds it to.

    ``low`` and ``high`` are inclusive bounds of numbers. ``allowed`` lists the values of a closed set. Floats are
    always held to be finite. ``tolerance`` is the relative difference up to which two runs count as equal (floats
    only); a ``wall_clock`` column differs from run to run by nature and lies outside every digest.
    """

    name: str
    type: str
    comment: str
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] = ()
    tolerance: float = 1e-6
    wall_clock: bool = False

    @property
    def is_float(self) -> bool:
        """Whether the column, or its elements, are binary floating point numbers."""
        return "double" in self.type or "float" in self.type


@dataclass(frozen=True)
class Table:
    """One table: ``comment`` says what one row is; ``slice`` names the columns whose values one write replaces.

    ``seen_at_once``: readers need no published run to see a write, so rows are audited before they are committed.
    """

    layer: str
    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    write: Write
    partition: tuple[str, ...] = ()
    slice: tuple[str, ...] = ()
    may_be_empty: bool = False
    seen_at_once: bool = False

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        twice = {name for name in names if names.count(name) > 1}
        unknown = {*self.key, *self.partition, *self.slice} - set(names)
        if twice or unknown:
            raise ValueError(f"contract {self.name}: columns named twice {sorted(twice)}, unknown {sorted(unknown)}")

    @property
    def of_a_run(self) -> bool:
        """Whether every row belongs to a run."""
        return "run_id" in self.slice

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in the table's order: the argument of every transform's last ``select``."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column called ``name``. Raises KeyError when the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name!r}")
