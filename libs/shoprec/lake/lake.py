"""How slices are replaced and audited, rows appended once, and tables merged."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from shoprec.audit import audit, audit_key, audit_rules, broken_rules, conform
from shoprec.contracts.core import Table, Write
from shoprec.errors import ConfigError, ContractBroken
from shoprec.lake.conflicts import again_on_conflict
from shoprec.lake.tables import Tables
from shoprec.slices import Slice, condition, sql_predicate

#: Commits among which the one that was just made is looked for.
_RECENT = 50


@dataclass(frozen=True)
class Written:
    """What one write did: the table's version after it, and how many rows it brought."""

    table: str
    version: int
    rows: int


class Lake(Tables):
    """One shop's tables, and what is written to them."""

    def append(self, rows: DataFrame, table: Table, app_id: str, version: int) -> bool:
        """Append ``rows`` once: a repeat with the same ``app_id`` and a version no higher does nothing.

        Columns that the source has gained are added to the table.

        :returns: whether this call wrote them
        """
        mark = uuid.uuid4().hex
        writer = rows.write.format("delta").mode("append").option("mergeSchema", "true").option("userMetadata", mark)
        self._save(writer.option("txnAppId", app_id).option("txnVersion", version), table)
        return not self._delta(table).history(_RECENT).where(F.col("userMetadata") == mark).isEmpty()

    def replace(self, rows: DataFrame, table: Table, /, **values: Any) -> Written:
        """Replace the slice ``values`` of a gold table and audit what was written, in one pass.

        The rows belong to a run that is not published yet, so a slice that fails its audit is never seen.

        :param values: the value of each column of ``table.slice``, or a list of values
        :raises ContractBroken: the rows do not hold the contract
        """
        self._check_slice(table, values)
        if self.in_catalog:
            # A write by name is planned within another query, from which observations do not come back.
            self._overwrite(conform(rows, table, values), table, values)
            written = self.read(table, **values)
            # Delta knows how many they are.
            count = self._audited(written, table, written.count())
        else:
            shaped, observed = self._observed(rows, table, values)
            self._overwrite(shaped, table, values)
            count = observed.get["rows"]
            repeated = audit_key(table, self.read(table, **values), count)
            _refuse(table, broken_rules(table, observed.get) + repeated)
        return Written(table.name, self.version(table), count)

    def replace_audited(self, rows: DataFrame, table: Table, /, **values: Any) -> Written:
        """Replace a slice that readers see at once: audited first, then taken in by one commit.

        The rows are gone through twice: what is costly to make is best held (``reused``).

        :param values: the value of each column of ``table.slice``, or a list of values
        :raises ContractBroken: the rows do not hold the contract; the table is as it was
        """
        self._check_slice(table, values)
        shaped = conform(rows, table, values)
        count = self._audited(shaped, table)
        self._overwrite(shaped, table, values)
        return Written(table.name, self.version(table), count)

    @again_on_conflict
    def _merge_into(self, rows: DataFrame, table: Table) -> None:
        on = " AND ".join(f"t.`{name}` <=> s.`{name}`" for name in table.key)
        rest = [name for name in table.names if name not in table.key]
        changed = " OR ".join(f"NOT (t.`{name}` <=> s.`{name}`)" for name in rest)
        merge = self._delta(table).alias("t").merge(rows.alias("s"), on).whenNotMatchedInsertAll()
        (merge.whenMatchedUpdateAll(changed) if rest else merge).execute()

    @again_on_conflict
    def insert_unless(self, taken: str, rows: DataFrame, table: Table) -> None:
        """Insert those of ``rows`` (s) for which no row of ``table`` (t) holds ``taken``, in one commit; no audit."""
        self._delta(table).alias("t").merge(rows.alias("s"), taken).whenNotMatchedInsertAll().execute()

    def merge(self, rows: DataFrame, table: Table) -> Written:
        """Update the rows of equal key that differ and insert the new ones, in one commit.

        :raises ContractBroken: the rows do not hold the contract; the table is as it was
        """
        shaped = conform(rows, table, {})
        count = self._audited(shaped, table)
        self._merge_into(shaped, table)
        return Written(table.name, self.version(table), count)

    def record(self, row: Mapping[str, Any], table: Table) -> None:
        """Replace a slice by one row that our own code made, as it stands: no audit."""
        literals = (F.lit(row[column.name]).cast(column.type).alias(column.name) for column in table.columns)
        self._overwrite(self.spark.range(1).select(*literals), table, {name: row[name] for name in table.slice})

    def remove(self, table: Table, /, **where: Any) -> None:
        """Remove the rows whose columns equal ``where`` (a list means any of it), in one commit."""
        self._delta(table).delete(condition(where))

    def _check_slice(self, table: Table, values: Slice) -> None:
        if table.write is not Write.REPLACE or set(values) != set(table.slice):
            raise ConfigError(f"{table.name} replaces slices of {table.slice}, not of {tuple(values)} ({table.write})")

    def _observed(self, rows: DataFrame, table: Table, values: Slice) -> tuple[DataFrame, Observation]:
        observed = Observation(f"{table.name}-{uuid.uuid4().hex[:8]}")
        return conform(rows, table, values).observe(observed, *audit_rules(table)), observed

    def _audited(self, shaped: DataFrame, table: Table, about: int = 0) -> int:
        count, broken = audit(table, shaped, about)
        _refuse(table, broken)
        return count

    def _overwrite(self, rows: DataFrame, table: Table, values: Slice) -> None:
        predicate = sql_predicate(values)
        writer = rows.write.format("delta").mode("overwrite")
        self._save(writer.option("replaceWhere", predicate) if predicate else writer, table)

    def _save(self, writer: Any, table: Table) -> None:
        where = self.location(table)
        writer.saveAsTable(where) if self.in_catalog else writer.save(where)


def _refuse(table: Table, broken: list[str]) -> None:
    if broken:
        raise ContractBroken(
            f"{table.layer}.{table.name}: {'; '.join(broken)}. Nothing of it was published; mend the job or its "
            "input and run it again"
        )
