"""Every table of the lake: name, columns with unit and range, key, partition and kind of write. No logic."""

from shoprec.contracts.core import Column, Table, Write
from shoprec.contracts.gold import GOLD
from shoprec.contracts.silver import SILVER

#: Every table whose columns are known before any data is read, by name. Bronze takes its columns from the shop.
TABLES: dict[str, Table] = {table.name: table for table in (*SILVER, *GOLD)}

__all__ = ["GOLD", "SILVER", "TABLES", "Column", "Table", "Write"]
