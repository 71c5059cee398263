"""The only code that reads or writes Delta: where tables lie, how slices are replaced and audited."""

import functools
import re
import uuid
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from delta import DeltaTable
from delta.exceptions import (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
)
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from shoprec.audit import audit, audit_key, audit_rules, broken_rules, conform
from shoprec.contracts.core import Table, Write
from shoprec.contracts.gold_runs import RUNS
from shoprec.ddl import check_columns, create_statement
from shoprec.errors import ConfigError, ContractBroken, first_line
from shoprec.places import absolute
from shoprec.slices import Slice, condition, sql_literal, sql_predicate

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

#: The property of ``gold.runs`` that names the shop whose lake it is.
OWNER = "shoprec.shop"

#: Commits among which the one that was just made is looked for.
_RECENT = 50

#: Tables that are looked at or made at a time: each is mostly waiting for the store.
ENSURED_AT_ONCE = 4


@dataclass(frozen=True)
class Written:
    """What one write did: the table's version after it, and how many rows it brought."""

    table: str
    version: int
    rows: int


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


class Lake:
    """One shop's tables, under a folder of any store that Spark reaches or in a ``catalog.schema``.

    :param tables: a local folder, ``scheme:…/folder`` or ``catalog.schema``
    """

    def __init__(self, spark: SparkSession, tables: str) -> None:
        self.spark = spark
        self.in_catalog = re.fullmatch(r"[\w-]+\.[\w-]+", tables) is not None
        self._known: dict[tuple[Table, Hashable], tuple[Any, Any]] = {}
        self.tables = tables if self.in_catalog else absolute(tables).rstrip("/")

    def location(self, table: Table) -> str:
        """Where ``table`` lies: its path, or its three-part name in a catalog."""
        if self.in_catalog:
            catalog, schema = self.tables.split(".")
            return f"`{catalog}`.`{schema}`.{table.layer}_{table.name}"
        return f"{self.tables}/{table.layer}/{table.name}"

    def exists(self, table: Table) -> bool:
        """Whether ``table`` has been made."""
        if self.in_catalog:
            return self.spark.catalog.tableExists(self.location(table))
        return DeltaTable.isDeltaTable(self.spark, self.location(table))

    def ensure(self, tables: Iterable[Table]) -> None:
        """Make the tables that are missing, from their contracts.

        :raises ConfigError: the lake cannot be written, or a table there has other columns than its contract
        """
        with ThreadPoolExecutor(ENSURED_AT_ONCE, thread_name_prefix="table") as pool:
            list(pool.map(self._ensure, tables))

    def _ensure(self, table: Table, **properties: str) -> None:
        try:
            if self.exists(table):
                check_columns(table, self.read(table).columns, self.tables)
            else:
                # Not by Delta's builder, which takes no name of three parts.
                self.spark.sql(create_statement(table, self._sql_name(table), **properties))
        except (PySparkException, Py4JJavaError) as error:
            raise ConfigError(
                f"cannot make table {table.layer}.{table.name} in the lake {self.tables}: {first_line(error)} — "
                "check that the place exists and may be written, or choose another with --set tables=…"
            ) from error

    def _sql_name(self, table: Table) -> str:
        where = self.location(table)
        return where if self.in_catalog else "delta.`{}`".format(where.replace("`", "``"))

    def claim(self, shop: str) -> None:
        """Make this the lake of ``shop``, and ``gold.runs`` where it is missing: who makes that has the lake.

        :raises ConfigError: it is another shop's, or cannot be written
        """
        self._ensure(RUNS, **{OWNER: shop})
        # As it stands now: another shop may have made it in the meantime.
        owner = self._property(RUNS, OWNER)
        if owner is None:
            told = f"{sql_literal(OWNER)} = {sql_literal(shop)}"
            self.spark.sql(f"ALTER TABLE {self._sql_name(RUNS)} SET TBLPROPERTIES ({told})")
        elif owner != shop:
            raise ConfigError(
                f"the lake {self.tables} is that of the shop {owner}, not of {shop}: their tables would mix — use a "
                "lake of its own with --set tables=… --set files=…"
            )

    def read(self, table: Table, /, **where: Any) -> DataFrame:
        """The rows of ``table`` whose columns equal ``where`` (a list means any of it)."""
        location = self.location(table)
        try:
            rows = self.spark.table(location) if self.in_catalog else self._load(location)
        except AnalysisException as error:
            raise ConfigError(
                f"table {table.layer}.{table.name} is not in the lake {self.tables} — run the job that makes it first"
            ) from error
        return rows.where(condition(where)) if where else rows

    def _load(self, path: str) -> DataFrame:
        return self.spark.read.format("delta").load(path)

    def version(self, table: Table) -> int:
        """The number of the table's latest commit."""
        return self._held(
            table,
            lambda snapshot: snapshot.version(),
            lambda delta: delta.history(1).select("version").first()["version"],
        )

    def known(self, table: Table, question: Hashable, ask: Callable[[], R]) -> R:
        """What ``ask`` says of ``table``, asked once for each version of it: many jobs ask the same of few versions.

        Where Delta does not tell the version without a query, each time.
        """
        # The version first: what is asked of a later one is asked again. A table that was made again has another id.
        version = self._held(table, lambda snapshot: (snapshot.metadata().id(), snapshot.version()), lambda _: None)
        of, answer = self._known.get((table, question), (None, None))
        if version is None or of != version:
            answer = ask()
            self._known[table, question] = version, answer
        return answer

    def _property(self, table: Table, key: str) -> str | None:
        """A property of the table. SHOW TBLPROPERTIES would mask values that look like secrets, as burlington does."""
        return self._held(
            table,
            lambda snapshot: (
                found.get() if (found := snapshot.metadata().configuration().get(key)).isDefined() else None
            ),
            lambda delta: delta.detail().select("properties").first()["properties"].get(key),
        )

    def _held(self, table: Table, of: Callable[[Any], R], asked: Callable[[DeltaTable], R]) -> R:
        """What Delta holds of the table, which has looked when it was asked for it; else what a query says."""
        delta = self._delta(table)
        try:
            return of(delta._jdt.deltaLog().unsafeVolatileSnapshot())
        except (AttributeError, Py4JError):  # a session without a JVM, or another Delta
            return asked(delta)

    def _delta(self, table: Table) -> DeltaTable:
        where = self.location(table)
        return DeltaTable.forName(self.spark, where) if self.in_catalog else DeltaTable.forPath(self.spark, where)

    # --- writing -----------------------------------------------------------------------------------------------

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
