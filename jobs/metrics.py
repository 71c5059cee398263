"""metrics: how good the lists of one horizon earlier were, by what users bought since; intervals and paired tests."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.contracts.gold import CANDIDATES, METRICS, RECOMMENDATIONS, USER_INDEX
from shoprec.contracts.gold_features import ITEM_FEATURES
from shoprec.contracts.silver import INTERACTIONS
from shoprec.errors import ConfigError, ContractBroken
from shoprec.evaluation.config import MetricsSettings
from shoprec.evaluation.intervals import figures
from shoprec.evaluation.lists import judged_lists, subject_lists, top_items
from shoprec.evaluation.measures import coverage, user_values
from shoprec.evaluation.summary import summary, summary_table
from shoprec.evaluation.truth import activity_bounds, buyers, item_facts, last_purchase, truth
from shoprec.job import Job, JobContext, cli
from shoprec.reuse import holding, reused
from shoprec.runs import latest_run

#: What the figures of all days of judging together go by in the column ``job``.
TOGETHER = "metrics of all days"

#: Days without a purchase before the day of judging that need no word: those that a shop may be closed.
MOST_CLOSED_DAYS = 2


def run(job: JobContext) -> None:
    """Judge the lists made one horizon before each day of judging, and those of several days together."""
    days = job.settings.dates or (job.as_of,)
    if max(days) > job.as_of:
        raise ConfigError(f"metrics.dates names {max(days)}, after --as-of {job.as_of}: what follows is not known yet")
    judged, values = {}, []
    with holding() as hold:
        for day in days:
            judged[str(day)], of_day = _judge(_for_day(job, day), hold)
            values.append(of_day)
        if len(days) > 1:
            _judge_together(job, values, min(days))
    job.note(judged=judged)


def _for_day(job: JobContext, day: date) -> JobContext:
    """``job`` for one day of judging: of the run published for its lists, or the job's own where none or itself is."""
    published = None if day == job.as_of else latest_run(job.lake, day - timedelta(days=job.horizon))
    return replace(job, as_of=day, run_id=published["run_id"] if published else job.run_id)


def _judge(job: JobContext, hold: Callable[[DataFrame], DataFrame]) -> tuple[dict[str, Any], DataFrame]:
    """Write the figures of one day; what to note of it, and the values of its users."""
    made = job.as_of - timedelta(days=job.horizon)
    known_users = job.read(USER_INDEX, as_of=made)
    fused = job.read(RECOMMENDATIONS, as_of=made)
    lists = subject_lists(job.read(CANDIDATES, as_of=made), fused)
    with (
        reused(truth(job.read(INTERACTIONS), made, job.as_of)) as known,
        reused(buyers(known, known_users)) as bought,
    ):
        judged_users, all_buyers = bought.agg(F.count("segment"), F.count(F.lit(1))).first()
        _refuse_nothing(judged_users == 0, job, made, f"no user known then bought anything before {job.as_of}")
        _refuse_nothing(fused.isEmpty(), job, made, "it made no recommendations for that day")
        users = bought.where("segment is not null")
        with reused(judged_lists(lists, known, users)) as judged:
            _refuse_nothing(judged.isEmpty(), job, made, f"there are none for the {judged_users} users who then bought")
            catalogue = item_facts(job.read(ITEM_FEATURES, as_of=made), known_users, known)
            tops = top_items(lists, judged)
            values = hold(user_values(judged, tops, catalogue, users))
            rows = figures(values, job.seed, job.settings.replicates).unionByName(coverage(tops, catalogue, users))
            _write(job, rows, made, job.job.name)
    newcomers = all_buyers - judged_users
    _warn_of_missing_days(job)
    job.progress(
        f"{judged_users:,} users judged on {made} … {job.as_of}; {newcomers:,} further buyers were not known before"
    )
    bounds = activity_bounds(known_users).first()["bounds"]
    return {"users": judged_users, "newcomers": newcomers, "activity_bounds": list(bounds)}, values


def _warn_of_missing_days(job: JobContext) -> None:
    """Say so where the end of the horizon was not taken in: what was bought then counts as not bought."""
    # Of the whole lake: the days of what was known late are there.
    last = last_purchase(job.read_all(INTERACTIONS), job.as_of)
    missing = (job.as_of - last).days - 1
    if missing > MOST_CLOSED_DAYS:
        job.progress(
            f"warning: the last purchase in the lake is of {last}: if the shop sold in the {missing} days between it "
            f"and {job.as_of}, the figures are too low — take those days in by jobs/ingest.py and jobs/interactions.py "
            "and judge again"
        )


def _judge_together(job: JobContext, days: Sequence[DataFrame], first: date) -> None:
    """Figures over the users of all days: a user of several days is drawn with all of them, as one.

    Only of subjects that were judged on each of them: means over other days do not compare.
    """
    subjects = [{row["subject"] for row in values.select("subject").distinct().collect()} for values in days]
    common = set.intersection(*subjects)
    if left_out := set.union(*subjects) - common:
        job.progress(f"all days together: without {', '.join(sorted(left_out))}, which not all of them have")
    values = functools.reduce(DataFrame.unionByName, days).where(F.col("subject").isin(*common))
    _write(job, figures(values, job.seed, job.settings.replicates), first - timedelta(days=job.horizon), TOGETHER)
    written = job.lake.read(METRICS, as_of=job.as_of, run_id=job.run_id, job=TOGETHER).collect()
    job.progress("all days together:\n" + summary_table(summary([row.asDict() for row in written], (), {})))


def _write(job: JobContext, rows: DataFrame, made: date, name: str) -> None:
    with reused(rows.withColumn("lists_as_of", F.lit(made))) as made_figures:
        job.write(made_figures, METRICS, job=name)


def _refuse_nothing(nothing: bool, job: JobContext, made: date, why: str) -> None:
    if nothing:
        raise ContractBroken(
            f"the lists that run {job.run_id} made for {made} cannot be judged: {why} — judge the day one horizon "
            f"({job.horizon} days) after a run's as-of date, with data known until then: take it in by "
            f"jobs/ingest.py and jobs/interactions.py --as-of {job.as_of}"
        )


JOB = Job(
    name="metrics",
    about=__doc__,
    run=run,
    settings=MetricsSettings,
    reads=(CANDIDATES, RECOMMENDATIONS, USER_INDEX, ITEM_FEATURES, INTERACTIONS),
    writes=(METRICS,),
    run_horizons=1,
)

if __name__ == "__main__":
    cli(JOB)
