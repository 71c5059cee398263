"""Small Delta tables, written and read by delta-rs: Spark takes a second for what takes this a hundredth.

It is an independent reader, too: what a job wrote is not read back by what wrote it.
"""

import functools
import operator
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

from shoprec.contracts import Column, Table
from shoprec.lake import Lake
from tests.ready import make_ready

Rows = Iterable[Mapping[str, Any]]


def add(lake: Lake, table: Table, rows: Rows, **values: Any) -> None:
    """Append ``rows``; ``values`` hold for each of them, and what is told nowhere is null.

    Nothing is audited: what the contract refuses can be planted, too. Moments without a zone are UTC.
    """
    delta = _delta(lake, table)
    write_deltalake(delta, _arrow(delta, rows, values), mode="append")


def put(lake: Lake, table: Table, rows: Rows, **values: Any) -> None:
    """``add`` in place of the rows whose columns equal ``values``."""
    delta = _delta(lake, table)
    slice_ = " AND ".join(f"CAST({name} AS STRING) = '{value}'" for name, value in values.items())
    write_deltalake(delta, _arrow(delta, rows, values), mode="overwrite", predicate=slice_ or None)


def rows(lake: Lake, table: Table, *columns: str, **where: Any) -> list[dict[str, Any]]:
    """The rows whose columns equal ``where``, in no order: ``columns`` or all. Moments are UTC, without a zone."""
    equal = [pc.field(name) == value for name, value in where.items()]
    delta = DeltaTable(lake.location(table))
    found = delta.to_pyarrow_table(filters=functools.reduce(operator.and_, equal) if equal else None)
    fields = [pa.field(f.name, pa.timestamp("us")) if pa.types.is_timestamp(f.type) else f for f in found.schema]
    return found.cast(pa.schema(fields)).select(list(columns or found.column_names)).to_pylist()


def filled(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """``row``, and for each column that it does not name a value that the contract allows."""
    return {**{column.name: _filler(column) for column in table.columns}, **row}


def _filler(column: Column) -> Any:
    if column.nullable:
        return None
    if column.type.startswith("array"):
        return []
    if column.type == "string":
        return column.allowed[0] if column.allowed else "x"
    number = max(0, column.low or 0)
    return float(number) if column.type in ("double", "float") else int(number)


def _delta(lake: Lake, table: Table) -> DeltaTable:
    make_ready(lake, [table])
    return DeltaTable(lake.location(table))


def _arrow(delta: DeltaTable, rows: Rows, values: Mapping[str, Any]) -> pa.Table:
    schema = pa.schema(delta.schema().to_arrow())
    money = [field.name for field in schema if pa.types.is_decimal(field.type)]

    def typed(row: dict[str, Any]) -> dict[str, Any]:
        return row | {name: Decimal(str(row[name])) for name in money if row.get(name) is not None}

    return pa.Table.from_pylist([typed({**row, **values}) for row in rows], schema=schema)
