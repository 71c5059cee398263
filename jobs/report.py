"""report: one self-contained page on a judged run: quality, examples with their reasons, data, time and training."""

import json
from datetime import timedelta

from pyspark.sql import functions as F

from shoprec.contracts.gold import JOB_RUNS, METRICS, RECOMMENDATIONS
from shoprec.contracts.gold_features import ITEM_FEATURES, USER_PROFILES
from shoprec.contracts.silver import INTERACTIONS, QUARANTINE, RECONCILIATION
from shoprec.errors import ContractBroken
from shoprec.evaluation.config import ReportSettings
from shoprec.evaluation.examples import example_lists, example_users, in_words
from shoprec.evaluation.report import Examined, ReportData, render
from shoprec.evaluation.truth import truth
from shoprec.exports import files
from shoprec.job import Job, JobContext, cli

#: Reasons shown, the most frequent first: a shop's rules may be many, a page is read by a person.
REASONS = 40


def run(job: JobContext) -> None:
    """Gather what the page shows, a few hundred rows whatever the size of the shop, and write it."""
    metrics = [row.asDict() for row in job.read(METRICS, job="metrics").collect()]
    if not metrics:
        raise ContractBroken(
            f"run {job.run_id} has no figures for {job.as_of}: the report shows what the judge found — run "
            f"jobs/metrics.py --as-of {job.as_of} --run-id {job.run_id} first"
        )
    refused = job.read(QUARANTINE).groupBy("table", "dataset", "reason").agg(F.count(F.lit(1)).alias("rows"))
    job_runs = [row.asDict() for row in job.lake.read(JOB_RUNS, run_id=job.run_id).collect()]
    data = ReportData(
        shop=job.shop.name,
        about=job.shop.about,
        run_id=job.run_id,
        lists_as_of=metrics[0]["lists_as_of"],
        as_of=job.as_of,
        horizon=job.horizon,
        seed=job.seed,
        metrics=metrics,
        job_runs=job_runs,
        reconciliation=[row.asDict() for row in job.read(RECONCILIATION).collect()],
        refused=[row.asDict() for row in refused.orderBy(F.desc("rows"), "table", "reason").limit(REASONS).collect()],
        examples=_examples(job),
        # Those that the jobs ran with: this one may have been told others.
        settings={row["job"]: told for row in job_runs if (told := json.loads(row["detail"]).get("settings"))},
    )
    out = job.settings.out or f"{job.files}/reports/{job.run_id}/report.html"
    files.write(out, render(data).encode())
    job.note(out=out)
    job.progress(f"wrote {out}")


def _examples(job: JobContext) -> list[Examined]:
    made = job.as_of - timedelta(days=job.horizon)
    recommendations = job.read(RECOMMENDATIONS, as_of=made)
    profiles = example_users(job.read(USER_PROFILES, as_of=made), recommendations).orderBy("stage").collect()
    bought = truth(job.read(INTERACTIONS), made, job.as_of)
    users = [profile["user_id"] for profile in profiles]
    rows = example_lists(users, recommendations, job.read(ITEM_FEATURES, as_of=made), bought, job.settings.items)
    lists: dict[str, dict[str, list]] = {user: {} for user in users}
    for row in rows.orderBy("user_id", "list", "rank").collect():
        lists[row["user_id"]].setdefault(row["list"], []).append(row.asDict())
    return [Examined(p["user_id"], p["stage"], in_words(p, job.shop.currency), lists[p["user_id"]]) for p in profiles]


JOB = Job(
    name="report",
    about=__doc__,
    run=run,
    settings=ReportSettings,
    reads=(METRICS, JOB_RUNS, RECONCILIATION, QUARANTINE, USER_PROFILES, RECOMMENDATIONS, ITEM_FEATURES, INTERACTIONS),
    run_horizons=1,
)

if __name__ == "__main__":
    cli(JOB)
