"""runs: the gate, and the row that makes a run seen; readers follow gold.runs alone."""

import json
from datetime import UTC, datetime

from shoprec.contracts.gold_runs import JOB_RUNS, RUNS
from shoprec.errors import ConfigError, ShoprecError
from shoprec.evaluation.gate import GateConfig, decide
from shoprec.job import Job, JobContext, cli
from shoprec.runs import latest_run, publish


def run(job: JobContext) -> None:
    """Hold the run against the last published one, then publish it."""
    last = latest_run(job.lake)
    if last and last["run_id"] == job.run_id:
        job.progress(f"run {job.run_id} is published already")
        return
    if not job.read(RUNS, run_id=job.run_id).isEmpty():
        raise ConfigError(
            f"run {job.run_id} was published before run {last['run_id']}, which readers see now — a run is published "
            "once; make another with --run-id to follow it"
        )
    details = [
        json.loads(row["detail"]) for row in job.lake.read(JOB_RUNS, run_id=job.run_id).select("detail").collect()
    ]
    gate = next((detail["gate"] for detail in details if "gate" in detail), {})
    verdict = decide(gate, json.loads(last["gate"]) if last else None, job.settings)
    job.progress(verdict.reason)
    if not verdict.passed:
        raise ShoprecError(
            f"run {job.run_id} is not published: {verdict.reason} — look at the sources' figures in gold.job_runs, or "
            "allow the loss with --set runs.tolerance=…"
        )
    publish(
        job.lake,
        {
            "run_id": job.run_id,
            "as_of": job.as_of,
            "predecessor": last["run_id"] if last else "",
            "sequence": last["sequence"] + 1 if last else 1,
            "shop": job.shop.name,
            "horizon": job.horizon,
            "gate": json.dumps(gate, sort_keys=True),
            "seeds": json.dumps({"seed": job.seed}),
            "digests": json.dumps(
                {k: v for detail in details for k, v in detail.get("digests", {}).items()}, sort_keys=True
            ),
            "settings_hash": job.config.digest,
            "published_at": datetime.now(UTC).replace(tzinfo=None),
        },
    )


JOB = Job(name="runs", about=__doc__, run=run, settings=GateConfig, reads=(JOB_RUNS,), writes=(RUNS,))

if __name__ == "__main__":
    cli(JOB)
