"""A table as its contract says, in SQL; and whether one that is there is such."""

from collections.abc import Collection

from shoprec.contracts.core import Table, Write
from shoprec.errors import ConfigError
from shoprec.slices import sql_literal


def create_statement(table: Table, name: str, **properties: str) -> str:
    """The statement that makes ``table`` where it is missing; ``name`` as SQL has it, with further ``properties``."""
    columns = ", ".join(f"`{c.name}` {c.type} COMMENT {sql_literal(c.comment)}" for c in table.columns)
    partition = f"PARTITIONED BY ({', '.join(f'`{name}`' for name in table.partition)})" if table.partition else ""
    told = ", ".join(
        f"{sql_literal(key)} = {sql_literal(value)}" for key, value in (_statistics(table), *properties.items())
    )
    return (
        f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING delta {partition} "
        f"COMMENT {sql_literal(table.comment)} TBLPROPERTIES ({told})"
    )


def check_columns(table: Table, there: Collection[str], place: str) -> None:
    """Refuse a table in the lake ``place`` that has other columns than its contract; bronze may have gained some.

    :raises ConfigError: columns are missing, or surplus
    """
    missing, surplus = sorted(set(table.names) - set(there)), sorted(set(there) - set(table.names))
    if missing or (surplus and table.write is not Write.APPEND):
        raise ConfigError(
            f"table {table.layer}.{table.name} in {place} was made by another version of its contract "
            f"(missing: {missing}, surplus: {surplus}) — use another lake with --set tables=…, or remove this table"
        )


def _statistics(table: Table) -> tuple[str, str]:
    """The property that says of which columns each file tells the least and greatest value: those that reads go by.

    To tell them of every column would take a good part of a write.
    """
    told = [c.name for c in table.columns if c.type in ("timestamp", "date") or c.name == "_ingestion_id"]
    told = [name for name in told if name not in table.partition]
    return ("delta.dataSkippingStatsColumns", ",".join(told)) if told else ("delta.dataSkippingNumIndexedCols", "0")
