"""Runs: which of their jobs have ended, which one readers see, its rows, and how a run becomes seen."""

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from shoprec.config import Config
from shoprec.contracts.core import Table
from shoprec.contracts.gold_runs import JOB_RUNS, RUNS
from shoprec.contracts.silver import INTERACTIONS, ITEMS, PROMOTIONS, USERS
from shoprec.errors import ConfigError, PublishConflict
from shoprec.graph import JobEntry, Node, ancestors, nodes
from shoprec.lake import Lake

#: What all jobs of a run should have read in one state. Prices are made again by each run, be they equal or not.
ONE_STATE = tuple(table.name for table in (INTERACTIONS, ITEMS, USERS, PROMOTIONS))


def done_before(lake: Lake, run_id: str, told: Config, part: Mapping[str, JobEntry], as_of: date) -> dict[Node, Row]:
    """The row of gold.job_runs of each node of ``part`` that ended in the run with these settings and this code.

    What ended before a job that it follows was started again is left out: it was made of what lay there earlier.
    """
    rows = {(row["job"], row["as_of"]): row for row in lake.read(JOB_RUNS, run_id=run_id).collect()}
    done: dict[Node, Row] = {}
    for node, before in nodes(part).items():
        row = rows.get((node.job, told.date_at(as_of, node.at)))
        if (
            row is not None
            and row["settings_hash"] == told.job_digest(node.job)
            and all(one in done and done[one]["started_at"] <= row["started_at"] for one in before)
        ):
            done[node] = row
    return done


def all_ended(lake: Lake, run_id: str, told: Config, as_of: date) -> dict[Node, Row]:
    """The rows of gold.job_runs of every job that must have ended before a run is published.

    :raises ConfigError: one of them has not come to its end, or did so with other settings or other code, or before a
        job that it follows was started again
    """
    done = done_before(lake, run_id, told, told.graph.jobs, as_of)
    needed = ancestors(told.graph.jobs, Node("runs"))
    missing = [node for node in nodes(told.graph.jobs) if node in needed and node not in done]
    if missing:
        raise ConfigError(
            f"run {run_id} is not published: {len(missing)} of the {len(needed)} jobs before have not ended with "
            f"these settings and this code since those that they follow, {missing[0].job} for "
            f"{told.date_at(as_of, missing[0].at)} first — run them, or give the same --set as they had"
        )
    return {node: done[node] for node in needed}


def states_mixed(ended: Mapping[Node, Row]) -> str:
    """What to say where silver changed while these jobs read it; empty where all of them read one state."""
    seen: dict[str, dict[int, str]] = defaultdict(dict)
    for node, row in sorted(ended.items()):
        for table, version in json.loads(row["versions_read"]).items():
            if table in ONE_STATE:
                seen[table].setdefault(version, f"{version} for {node.job} of {row['as_of']}")
    told = [
        f"silver.{table} was at version {' and '.join(text for _, text in sorted(versions.items()))}"
        for table, versions in seen.items()
        if len(versions) > 1
    ]
    mixed = "data were taken in, or the table was rewritten, while the run was made: what became known before its date"
    return f"{'; '.join(told)}: {mixed} is in only some of its tables" if told else ""


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
