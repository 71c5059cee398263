"""Slices of a table in the words of Spark and of SQL: which rows a read keeps and a write replaces."""

import functools
from collections.abc import Mapping
from datetime import date
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

#: Column -> its value in every row of the slice, or a list of the values that it may have.
Slice = Mapping[str, Any]


def condition(where: Slice) -> Column:
    """The conjunction of ``column = value`` (or ``column in values``) over ``where``."""
    terms = [F.col(k).isin(list(v)) if isinstance(v, list | tuple | set) else F.col(k) == v for k, v in where.items()]
    return functools.reduce(lambda a, b: a & b, terms, F.lit(True))


def sql_predicate(where: Slice) -> str:
    """The same as text of SQL; empty where all rows are meant."""
    return " AND ".join(f"`{name}` {_in(value)}" for name, value in where.items())


def sql_literal(value: Any) -> str:
    """``value`` as SQL writes it."""
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, date):
        return f"DATE'{value}'"
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _in(value: Any) -> str:
    values = sorted(value) if isinstance(value, list | tuple | set) else [value]
    return f"IN ({', '.join(sql_literal(v) for v in values)})"
