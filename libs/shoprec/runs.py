"""Published runs: which one readers see, its rows, and how a run becomes seen."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.contracts.core import Table
from shoprec.contracts.gold_runs import RUNS
from shoprec.errors import ConfigError, PublishConflict
from shoprec.lake import Lake


def latest_run(lake: Lake, as_of: date | None = None, before: date | None = None) -> dict[str, Any] | None:
    """The row of ``gold.runs`` of the latest date, or None: for ``as_of`` or for a date ``before`` one, when given.

    Of several runs for a date the one published last. A run that is made afterwards for an earlier date takes no later
    one's place.
    """
    rows = lake.read(RUNS, **({} if as_of is None else {"as_of": as_of}))
    if before is not None:
        rows = rows.where(F.col("as_of") < F.lit(before))
    return _first(rows.orderBy(F.desc("as_of"), F.desc("sequence")))


def last_published(lake: Lake) -> dict[str, Any] | None:
    """The row of ``gold.runs`` published last, for whatever date, or None: the next one's predecessor."""
    return _first(lake.read(RUNS).orderBy(F.desc("sequence")))


def _first(rows: DataFrame) -> dict[str, Any] | None:
    found = rows.limit(1).collect()
    return found[0].asDict() if found else None


def published(lake: Lake, table: Table, as_of: date | None = None) -> DataFrame:
    """The published run's rows of a gold ``table``: of the latest date's run, or of the one for ``as_of``.

    :raises ConfigError: no run has been published
    """
    run = latest_run(lake, as_of)
    if run is None:
        raise ConfigError(f"no run has been published in {lake.tables} — run jobs/pipeline.py first")
    return lake.read(table, run_id=run["run_id"], as_of=run["as_of"])


def publish(lake: Lake, row: Mapping[str, Any]) -> None:
    """Make a run seen: insert its row unless another run has taken the place after ``row['predecessor']``.

    One merge decides it: of two runs that name the same predecessor the first to commit wins.

    :raises PublishConflict: another run was published in between
    """
    source = lake.spark.createDataFrame([dict(row)], lake.read(RUNS).schema)
    lake.insert_unless("t.run_id = s.run_id OR t.predecessor = s.predecessor", source, RUNS)
    if not lake.read(RUNS, run_id=row["run_id"]).count():
        winner = lake.read(RUNS, predecessor=row["predecessor"]).first()
        raise PublishConflict(
            f"run {row['run_id']} was not published: run {winner['run_id']} followed "
            f"{row['predecessor'] or 'nothing'} first — start this run again so that it follows the new one"
        )
