"""Audits by contract: rules that are observed while the rows are written, and the check of the key."""

import functools
import math
import re
from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.contracts.core import Column, Table
from shoprec.errors import ContractBroken
from shoprec.hashes import PART_ROWS, counted
from shoprec.reuse import shuffle_parts

_NUMBER = re.compile(r"\b(tinyint|smallint|bigint|int|long|float|double|decimal\(\d+,\d+\))(?![\w(])")


def conform(rows: DataFrame, table: Table, values: Mapping[str, Any]) -> DataFrame:
    """``rows`` with the contract's columns in its order and types, constants of the slice ``values`` added.

    Numbers are cast to the contract's kind of number; nothing else is converted.

    :raises ContractBroken: a column is missing, not in the contract, or of another type
    """
    constants = {k: v for k, v in values.items() if not isinstance(v, list | tuple | set) and k not in rows.columns}
    missing = [n for n in table.names if n not in rows.columns and n not in constants]
    surplus = [n for n in rows.columns if n not in table.names]
    types = dict(rows.dtypes)
    wrong = [
        f"{c.name} is {types[c.name]}, not {c.type}"
        for c in table.columns
        if c.name in types and types[c.name] != "void" and _kind(types[c.name]) != _kind(c.type)
    ]
    if missing or surplus or wrong:
        raise ContractBroken(
            f"{table.layer}.{table.name}: columns missing {missing}, not in the contract {surplus}, mistyped {wrong}"
        )
    return rows.select(
        *(
            (F.lit(constants[c.name]) if c.name in constants else F.col(f"`{c.name}`")).cast(c.type).alias(c.name)
            for c in table.columns
        )
    )


def _kind(spark_type: str) -> str:
    return _NUMBER.sub("number", spark_type.replace(" ", ""))


def audit_rules(table: Table) -> list[SparkColumn]:
    """Aggregates that count, for every rule of the contract, the rows that break it; and all rows (``rows``)."""
    rules = [F.count(F.lit(1)).alias("rows")]
    for column in table.columns:
        for rule, broken in _rules(column):
            rules.append(F.count_if(F.coalesce(broken, F.lit(False))).alias(f"{column.name}|{rule}"))
    return rules


def _rules(column: Column) -> list[tuple[str, SparkColumn]]:
    value = F.col(f"`{column.name}`")
    is_array = column.type.startswith("array<")
    plain_array = is_array and "struct" not in column.type
    rules: list[tuple[str, SparkColumn]] = []
    if not column.nullable:
        rules.append(("is null", value.isNull()))

    def any_of(test: Any) -> SparkColumn:
        return F.exists(value, test) if is_array else test(value)

    if column.is_float and (plain_array or not is_array):
        rules.append(("is not finite", any_of(lambda x: F.isnan(x) | (F.abs(x) == F.lit(float("inf"))))))
    if column.low is not None:
        rules.append((f"is below {column.low}", any_of(lambda x: x < column.low)))
    if column.high is not None:
        rules.append((f"is above {column.high}", any_of(lambda x: x > column.high)))
    if column.allowed:
        rules.append((f"is not one of {', '.join(column.allowed)}", ~value.isin(*column.allowed)))
    return rules


def broken_rules(table: Table, counts: Mapping[str, int]) -> list[str]:
    """What the observed ``counts`` say is broken, in words; empty when the contract holds."""
    broken = []
    if not counts["rows"] and not table.may_be_empty:
        broken.append("no rows")
    for name, count in counts.items():
        if name != "rows" and count:
            column, rule = name.split("|", 1)
            broken.append(f"{column} {rule} in {count} of {counts['rows']} rows")
    return broken


def audit(table: Table, rows: DataFrame, about: int = 0) -> tuple[int, list[str]]:
    """How many ``rows`` there are and what is broken about them, in words: all rules and the key, in one pass.

    Only where something is broken are the rows gone through again, to say what and how often.

    :param about: how many rows there are, where that is known
    """
    tests = [F.coalesce(broken, F.lit(False)) for column in table.columns for _, broken in _rules(column)]
    broken = functools.reduce(lambda one, other: one | other, tests, F.lit(False))
    count, keys, bad = _counted(table, rows, broken, about)
    if bad or not (count or table.may_be_empty):
        counts = rows.agg(*audit_rules(table)).first().asDict()
        return count, broken_rules(table, counts) + audit_key(table, rows, about)
    return count, _repeated(table, rows) if keys < count else []


def audit_key(table: Table, written: DataFrame, about: int = 0) -> list[str]:
    """Whether the key is unique among ``written``, in words; reads the key's columns alone.

    :param about: how many rows there are, where that is known
    """
    count, keys, _ = _counted(table, written, F.lit(False), about)
    return _repeated(table, written) if keys < count else []


def _counted(table: Table, rows: DataFrame, broken: SparkColumn, about: int) -> tuple[int, int, int]:
    """How many rows there are, how many hashes of keys, and how many rows are broken.

    Equal keys have equal hashes, so as many hashes as rows prove the key unique.
    """
    hashes = rows.select(F.xxhash64(*table.key).alias("key"), broken.alias("broken"))
    sums = (F.coalesce(F.sum(name), F.lit(0)) for name in ("rows", "keys", "marked"))
    parts = math.ceil(about / PART_ROWS)
    more = parts if parts > shuffle_parts(rows.sparkSession) else None
    return tuple(counted(hashes, more).agg(*sums).first())


def _repeated(table: Table, rows: DataFrame) -> list[str]:
    """What to say of the keys that stand more than once; nothing where unlike keys have equal hashes."""
    twice = rows.groupBy(*table.key).count().where("count > 1")
    surplus = twice.agg(F.sum(F.col("count") - 1)).first()[0]
    if not surplus:
        return []
    example = twice.drop("count").orderBy(*table.key).first().asDict()
    return [f"key {table.key} stands more than once: {surplus} surplus rows, for example {example}"]
