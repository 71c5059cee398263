"""Where tables lie, how they are made, read, and known by their versions."""

import re
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from delta import DeltaTable
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession

from shoprec.contracts.core import Table
from shoprec.contracts.gold_runs import RUNS
from shoprec.errors import ConfigError, first_line
from shoprec.lake.ddl import check_columns, create_statement
from shoprec.places import absolute
from shoprec.slices import condition, sql_literal

R = TypeVar("R")

#: The property of ``gold.runs`` that names the shop whose lake it is.
OWNER = "shoprec.shop"

#: Tables that are looked at or made at a time: each is mostly waiting for the store.
ENSURED_AT_ONCE = 4


class Tables:
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
