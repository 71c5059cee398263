"""runs: the gate, and the row that makes a run seen; readers follow gold.runs alone."""

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from pyspark.sql import Row

from shoprec.contracts.gold_runs import JOB_RUNS, RUNS
from shoprec.contracts.silver import INTERACTIONS, ITEMS, PROMOTIONS, USERS
from shoprec.errors import ConfigError, ShoprecError
from shoprec.evaluation.gate import GateConfig, decide
from shoprec.graph import Node, ancestors
from shoprec.job import Job, JobContext, cli, done_before, load_job
from shoprec.runs import last_published, latest_run, publish

#: What all jobs of a run should have read in one state. Prices are made again by each run, be they equal or not.
ONE_STATE = tuple(table.name for table in (INTERACTIONS, ITEMS, USERS, PROMOTIONS))


def run(job: JobContext) -> None:
    """Hold the run against the one that was published for the latest date up to its own, then publish it."""
    before = last_published(job.lake)
    if before and before["run_id"] == job.run_id:
        job.progress(f"run {job.run_id} is published already")
        return
    if not job.read(RUNS, run_id=job.run_id).isEmpty():
        raise ConfigError(
            f"run {job.run_id} was published before run {before['run_id']} — a run is published once; make another "
            "with --run-id to follow it"
        )
    ended = _ended(job)
    if mixed := _mixed(ended):
        job.note(mixed=mixed)
        job.progress(f"warning: {mixed}")
    details = {key: json.loads(row["detail"]) for key, row in ended.items()}
    gate = details["recommendations", job.as_of].get("gate", {})
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


def _ended(job: JobContext) -> dict[tuple[str, date], Row]:
    """The rows of gold.job_runs of the jobs that come before this one.

    :raises ConfigError: one of them has not come to its end, or did so with other settings or other code
    """
    nodes = ancestors(job.config.graph.jobs, Node("runs"))
    needed = {(node.job, job.config.date_at(job.as_of, node.at)) for node in nodes}
    done = done_before(job.lake, job.run_id, job.config)
    if missing := sorted(needed - done.keys()):
        name, day = missing[0]
        raise ConfigError(
            f"run {job.run_id} is not published: {len(missing)} of the {len(needed)} jobs before have not ended with "
            f"these settings and this code, {name} for {day} first — run them, or give the same --set as they had"
        )
    return {key: done[key] for key in needed}


def _mixed(ended: Mapping[tuple[str, date], Row]) -> str:
    """What to say where silver changed while the run was made; empty where all jobs read one state."""
    seen: dict[str, dict[int, str]] = defaultdict(dict)
    for (name, day), row in sorted(ended.items()):
        # Jobs that make silver read it before and after.
        if all(table.layer == "gold" for table in load_job(name).writes):
            for table, version in json.loads(row["versions_read"]).items():
                if table in ONE_STATE:
                    seen[table].setdefault(version, f"{version} for {name} of {day}")
    told = [
        f"silver.{table} was at version {' and '.join(text for _, text in sorted(versions.items()))}"
        for table, versions in seen.items()
        if len(versions) > 1
    ]
    return f"{'; '.join(told)}: data were taken in while the run was made, and its lists mix both" if told else ""


JOB = Job(name="runs", about=__doc__, run=run, settings=GateConfig, reads=(JOB_RUNS,), writes=(RUNS,))

if __name__ == "__main__":
    cli(JOB)
