"""runs: the gate, and the row that makes a run seen; readers follow gold.runs alone."""

import json
from datetime import UTC, datetime, timedelta

from shoprec.contracts.gold_runs import JOB_RUNS, RUNS
from shoprec.errors import ShoprecError
from shoprec.evaluation.gate import GateConfig, decide
from shoprec.graph import Node
from shoprec.job import Job, JobContext, cli, load_job
from shoprec.runs import all_ended, last_published, latest_run, publish, states_mixed


def run(job: JobContext) -> None:
    """Hold the run against the one that was published for the latest date up to its own, then publish it."""
    if not job.read(RUNS, run_id=job.run_id).isEmpty():
        job.progress(f"run {job.run_id} is published already")
        return
    before = last_published(job.lake)
    ended = all_ended(job.lake, job.run_id, job.config, job.as_of)
    # Jobs that make silver read it before and after.
    if mixed := states_mixed({node: row for node, row in ended.items() if load_job(node.job).makes_gold}):
        job.note(mixed=mixed)
        job.progress(f"warning: {mixed}")
    details = {key: json.loads(row["detail"]) for key, row in ended.items()}
    gate = details[Node("recommendations")].get("gate", {})
    last = latest_run(job.lake, before=job.as_of + timedelta(days=1))
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
            "predecessor": before["run_id"] if before else "",
            "sequence": before["sequence"] + 1 if before else 1,
            "shop": job.shop.name,
            "horizon": job.horizon,
            "gate": json.dumps(gate, sort_keys=True),
            "seeds": json.dumps({"seed": job.seed}),
            "digests": json.dumps(
                {k: v for detail in details.values() for k, v in detail.get("digests", {}).items()}, sort_keys=True
            ),
            "settings_hash": job.config.digest,
            "published_at": datetime.now(UTC).replace(tzinfo=None),
        },
    )


JOB = Job(name="runs", about=__doc__, run=run, settings=GateConfig, reads=(JOB_RUNS,), writes=(RUNS,))

if __name__ == "__main__":
    cli(JOB)
