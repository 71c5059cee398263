"""A job's run and its row in gold.job_runs, which stands only while what it tells of does."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from shoprec import config
from shoprec.context import Job, JobContext
from shoprec.contracts.gold_runs import JOB_RUNS, RUNS
from shoprec.errors import ConfigError
from shoprec.lake import Lake, Written
from shoprec.usage import measured


def rows_by_table(written: Sequence[Written]) -> Mapping[str, int]:
    """How many rows went to each table."""
    rows: dict[str, int] = {}
    for one in written:
        rows[one.table] = rows.get(one.table, 0) + one.rows
    return rows


def perform(job: Job, told: config.Config, lake: Lake, run_day: date, run_id: str, at: int = 0) -> JobContext:
    """Run ``job`` by itself: :func:`begin`, then :func:`carry_out`."""
    begin([(job, told.date_at(run_day, at))], lake, run_id)
    return carry_out(job, told, lake, run_day, run_id, at)


def begin(to_do: Sequence[tuple[Job, date]], lake: Lake, run_id: str) -> None:
    """Take away what gold.job_runs tells of earlier times of these jobs, each for its date.

    What it tells of will be written over, in part if this time fails. A pipeline does it once for all of its jobs:
    the table changes with each job that ends, and whoever asks it then waits until Delta has gone through it anew.

    :raises ConfigError: the run is published, and one of the jobs would write its tables again
    """
    if not to_do:
        return
    _refuse_published([job for job, _ in to_do], lake, run_id)
    told = {tuple(row) for row in lake.read(JOB_RUNS, run_id=run_id).select("job", "as_of").collect()}
    stale: dict[date, list[str]] = defaultdict(list)
    for job, as_of in to_do:
        if (job.name, as_of) in told:
            stale[as_of].append(job.name)
    for as_of, names in stale.items():
        lake.remove(JOB_RUNS, run_id=run_id, as_of=as_of, job=names)


def carry_out(job: Job, told: config.Config, lake: Lake, run_day: date, run_id: str, at: int = 0) -> JobContext:
    """Run ``job``, which has begun, and record its end in gold.job_runs: its row stands once everything was written.

    :param run_day: the run's as-of date
    :param at: horizons from there at which the job works
    :raises ConfigError: the run has been published since, and the job would write its tables again
    """
    _refuse_published([job], lake, run_id)
    context = JobContext(job, told, lake, told.date_at(run_day, at), run_id, at)
    started = datetime.now(UTC)
    with measured() as usage:
        job.run(context)
    row = {
        "run_id": run_id,
        "job": job.name,
        "as_of": context.as_of,
        "settings_hash": told.job_digest(job.name),
        "versions_read": _json(context.versions_read),
        "versions_written": _json({w.table: w.version for w in context.written}),
        "rows_written": _json(rows_by_table(context.written)),
        "detail": _json({"settings": told.decisive(job.name), **context.detail}),
        "started_at": started.replace(tzinfo=None),
        "seconds": usage.seconds,
        "cpu_seconds": usage.cpu_seconds,
        "peak_rss_gib": usage.peak_rss_gib,
    }
    lake.record(row, JOB_RUNS)
    return context


def _refuse_published(some: Iterable[Job], lake: Lake, run_id: str) -> None:
    made = {job.name: [t.name for t in job.writes if t.of_a_run and not t.seen_at_once] for job in some}
    makers = [name for name, tables in made.items() if tables]
    if makers and lake.known(RUNS, ("published", run_id), lambda: not lake.read(RUNS, run_id=run_id).isEmpty()):
        raise ConfigError(
            f"run {run_id} is published and stays as it is: {makers[0]} would write its "
            f"{', '.join(made[makers[0]])} again — make another run with --run-id, or with other settings"
        )


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
