"""What a job is, and what it is given while it runs: reading what was known, writing slices, telling progress."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec import config
from shoprec.contracts import Table, Write
from shoprec.contracts.silver import INTERACTIONS, QUARANTINE
from shoprec.errors import ConfigError
from shoprec.intake.shop import Shop
from shoprec.intake.tables import commonest_reasons, extent_of
from shoprec.lake import Lake, Written
from shoprec.moments import midnight
from shoprec.settings import Settings


@dataclass(frozen=True)
class Job:
    """A job: its name (the stem of its file), what it is about, what it reads and writes, and what it does.

    ``run_horizons``: 0 for jobs that make a run; n for a job that judges the run published n horizons earlier.
    """

    name: str
    about: str
    run: Callable[["JobContext"], None]
    reads: Sequence[Table] = ()
    writes: Sequence[Table] = ()
    settings: type[Settings] = Settings
    run_horizons: int = 0

    @property
    def makes_gold(self) -> bool:
        """Whether it writes tables, and all of them are gold's."""
        return bool(self.writes) and all(table.layer == "gold" for table in self.writes)


@dataclass
class JobContext:
    """What a job is given while it runs, for one as-of date of one run.

    ``at``: how many horizons ``as_of`` lies from the date that was asked for; below 0 for what the ranker learns on.
    """

    job: Job
    config: config.Config
    lake: Lake
    as_of: date
    run_id: str
    at: int = 0
    detail: dict[str, Any] = field(default_factory=dict)
    versions_read: dict[str, int] = field(default_factory=dict)
    written: list[Written] = field(default_factory=list)
    _extents: dict[str, tuple[int, int]] = field(default_factory=dict, init=False, repr=False)

    @property
    def settings(self) -> Any:
        """The job's own settings, of the class that it declared."""
        return self.config.jobs[self.job.name]

    @property
    def shop(self) -> Shop:
        """The shop's YAML, typed."""
        return self.config.shop

    @property
    def horizon(self) -> int:
        """Days after an as-of date by which its lists are judged."""
        return self.config.horizon

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        return self.config.seed

    @property
    def files(self) -> str:
        """URI below which snapshots, models and exports lie."""
        return self.config.env.files.rstrip("/")

    @property
    def spark(self) -> SparkSession:
        """The session that the job runs in."""
        return self.lake.spark

    def progress(self, text: str) -> None:
        """Tell the user how far the job is."""
        say(f"         {self.job.name}: {text}")

    def note(self, **facts: Any) -> None:
        """Keep JSON-able facts with the job's row in gold.job_runs."""
        self.detail.update(facts)

    def read(self, table: Table, /, **where: Any) -> DataFrame:
        """Rows of ``table`` as this job may see them.

        Gold: this run's rows for this as-of date (another with ``as_of=``), without the columns as_of and run_id.
        Silver: what was known before the as-of date.

        :raises ConfigError: no interaction was known before the as-of date
        """
        if table.layer == "gold":
            return self._gold(table, where)
        rows = self.read_all(table, **where)
        if "known_at" not in table.names:
            return rows
        rows = known_before(rows, self.as_of)
        if table is INTERACTIONS and not self._has_history():
            raise ConfigError(
                f"no interaction was known before {self.as_of}: {self._span} — choose a later --as-of, or deliver "
                "earlier data and make another run: --run-id NAME"
            )
        return rows

    def read_all(self, table: Table, /, **where: Any) -> DataFrame:
        """Rows of ``table`` whenever they were known, for what sees to that itself; its version is noted.

        The version is that which stands when the job first asks: it may write to what it reads. Spark reads what stands
        when a query begins, which another job's commit may have made newer.
        """
        rows = self.lake.read(table, **where)
        name = f"bronze.{table.name}" if table.layer == "bronze" else table.name
        if name not in self.versions_read:
            self.versions_read[name] = self.lake.version(table)
        return rows

    def read_bronze(self, dataset: str) -> DataFrame:
        """The rows that a bronze dataset held when this job first asked, with the columns that say where each lay.

        What is taken in while the job works is left to its next run: ingestions have rising numbers.
        """
        return self.read_all(bronze_table(dataset)).where(F.col("_ingestion_id") <= self.extent(dataset)[1])

    def extent(self, dataset: str) -> tuple[int, int]:
        """How many rows a bronze dataset held when this job first asked, and its latest ingestion (0: none)."""
        if dataset not in self._extents:
            self._extents[dataset] = extent_of(self.read_all(bronze_table(dataset)))
        return self._extents[dataset]

    def rows_in(self, table: Table) -> int:
        """How many rows ``table`` holds, whenever they were known."""
        return self.lake.read(table).count()

    def write(self, rows: DataFrame, table: Table, /, **values: Any) -> int:
        """Write ``rows`` as the slice ``values`` of ``table`` (as_of and run_id are added), audited by the contract.

        Rows that readers would see at once are audited first and gone through twice: hold what is costly to make.

        :returns: how many rows were written
        :raises ContractBroken: the rows do not hold the contract
        """
        if table.write is Write.MERGE:
            written = self.lake.merge(rows, table)
        else:
            values = {k: v for k, v in (("as_of", self.as_of), ("run_id", self.run_id)) if k in table.slice} | values
            replace = self.lake.replace_audited if table.seen_at_once else self.lake.replace
            written = replace(rows, table, **values)
        self.written.append(written)
        return written.rows

    def _gold(self, table: Table, where: dict[str, Any]) -> DataFrame:
        run = {"as_of": self.as_of, "run_id": self.run_id}
        where = {k: v for k, v in run.items() if k in table.slice} | where
        rows = self.read_all(table, **where)
        return rows.drop(*run) if set(run) <= set(table.slice) else rows

    def _has_history(self) -> bool:
        def ask() -> bool:
            return not known_before(self.lake.read(INTERACTIONS), self.as_of).isEmpty()

        return self.lake.known(INTERACTIONS, ("known before", self.as_of), ask)

    @property
    def _span(self) -> str:
        first, last = self.lake.read(INTERACTIONS).agg(F.min("known_at"), F.max("known_at")).first()
        if first:
            return f"those in the lake were known from {first} to {last}"
        why = ""
        if self.lake.exists(QUARANTINE):
            why = commonest_reasons(self.lake.read(QUARANTINE, table=INTERACTIONS.name), before=", refused were ")
        return f"there are none in the lake{why}"


def known_before(rows: DataFrame, as_of: date) -> DataFrame:
    """The rows known before midnight UTC at the start of ``as_of``; corrected events as they stood then."""
    moment = midnight(as_of)
    known = F.col("known_at") < moment
    if "timeless" in rows.columns:
        known = known | F.col("timeless")
    if "superseded_at" in rows.columns:
        known = known & (F.col("superseded_at").isNull() | (F.col("superseded_at") >= moment))
    return rows.where(known)


def bronze_table(dataset: str) -> Table:
    """The place of a bronze dataset, for reading: its columns are the source's own."""
    return Table("bronze", dataset, f"dataset {dataset}", (), (), Write.APPEND, may_be_empty=True)


def say(text: str) -> None:
    """One line to the user, at once and in one piece: jobs beside each other speak too."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
