"""The job runs: what must have ended before, whose figures the gate goes by, and what is told of mixed data."""

import json
from datetime import date, datetime, timedelta
from types import SimpleNamespace

import pytest

from shoprec.context import JobContext
from shoprec.contracts.gold_runs import JOB_RUNS, RUNS
from shoprec.errors import ConfigError, ShoprecError
from shoprec.evaluation.gate import GateConfig
from shoprec.graph import JobEntry
from shoprec.job import load_job
from shoprec.lake import Lake
from tests.ready import make_ready
from tests.small_tables import add, filled, rows

DAY, HORIZON = date(2024, 3, 1), timedelta(days=14)
GRAPH = {
    "interactions": JobEntry(),
    "samples": JobEntry(after=("interactions",), at=(-1, 0)),
    "candidates": JobEntry(after=("samples",), at=(-1, 0)),
    "recommendations": JobEntry(after=("candidates", "candidates@-1")),
    "runs": JobEntry(after=("recommendations",)),
    "export": JobEntry(after=("runs",)),
}
ENDED = (("interactions", 0), ("samples", -1), ("samples", 0), ("candidates", -1), ("candidates", 0))


def context(lake: Lake, day: date = DAY, run_id: str = "run") -> JobContext:
    told = SimpleNamespace(
        jobs={"runs": GateConfig()}, graph=SimpleNamespace(jobs=GRAPH), horizon=14, seed=5, digest="d",
        shop=SimpleNamespace(name="corner"), job_digest=lambda job: f"hash of {job}",
        date_at=lambda as_of, at: as_of + at * HORIZON,
    )  # fmt: skip
    return JobContext(load_job("runs"), told, lake, day, run_id)


def record(lake: Lake, job: str, day: date, run_id: str = "run", **more: object) -> None:
    """A row of job_runs, ended with the settings that stand."""
    told = {"settings_hash": f"hash of {job}", "versions_read": "{}", "detail": "{}"}
    row = filled(JOB_RUNS, {**told, "started_at": datetime(2024, 3, 1), **more})
    add(lake, JOB_RUNS, [row], job=job, as_of=day, run_id=run_id)


def judged(lake: Lake, day: date, value: float, run_id: str = "run") -> None:
    gate = {"ndcg@10": value, "sources": {}}
    detail = json.dumps({"gate": gate, "digests": {"ranker_new": f"{value}"}})
    record(lake, "recommendations", day, run_id, detail=detail)


def ended(lake: Lake, day: date = DAY, run_id: str = "run") -> None:
    make_ready(lake, [RUNS])
    for job, at in ENDED:
        record(lake, job, day + at * HORIZON, run_id)


def test_the_gate_goes_by_the_lists_of_its_own_date(lake: Lake) -> None:
    """A run of that name was made for a day before, and refused: its figure and digests are no part of this one."""
    ended(lake)
    judged(lake, DAY - timedelta(days=1), 0.9)
    judged(lake, DAY, 0.3)
    context(lake).job.run(context(lake))
    (row,) = rows(lake, RUNS)
    assert (row["run_id"], row["sequence"], row["predecessor"]) == ("run", 1, "")
    assert json.loads(row["gate"])["ndcg@10"] == 0.3
    assert json.loads(row["digests"]) == {"ranker_new": "0.3"}


def test_a_run_of_which_a_job_has_not_ended_is_not_published(lake: Lake) -> None:
    """Candidates ended with other settings for the earlier date, and not at all for the run's own; lists need both."""
    make_ready(lake, [RUNS])
    for job, at in ENDED:
        if (job, at) != ("candidates", 0):
            other = {"settings_hash": "of other settings"} if (job, at) == ("candidates", -1) else {}
            record(lake, job, DAY + at * HORIZON, **other)
    judged(lake, DAY, 0.3)
    with pytest.raises(ConfigError, match="3 of the 6 jobs before have not ended .* candidates for 2024-02-16 first"):
        context(lake).job.run(context(lake))
    assert rows(lake, RUNS) == []


def test_what_was_made_before_a_job_that_it_follows_began_again_is_not_published(lake: Lake) -> None:
    """Samples were made anew, of the earlier date alone: its candidates and all after them are of those before."""
    ended(lake)
    judged(lake, DAY, 0.3)
    lake.remove(JOB_RUNS, run_id="run", job="samples", as_of=DAY - HORIZON)
    record(lake, "samples", DAY - HORIZON, started_at=datetime(2024, 3, 1, 0, 0, 1))
    with pytest.raises(ConfigError, match="2 of the 6 jobs before have not ended .* candidates for 2024-02-16 first"):
        context(lake).job.run(context(lake))
    assert rows(lake, RUNS) == []


def test_a_published_run_goes_on_to_its_export_though_another_followed(lake: Lake) -> None:
    for day, run_id in ((DAY, "run"), (DAY + HORIZON, "next")):
        ended(lake, day, run_id)
        judged(lake, day, 0.3, run_id)
        job = context(lake, day, run_id)
        job.job.run(job)
    context(lake).job.run(context(lake))
    assert sorted(row["run_id"] for row in rows(lake, RUNS)) == ["next", "run"]


def test_a_run_whose_jobs_read_two_states_of_silver_says_so(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    """Jobs that make silver, and prices, which every run makes again, say nothing of it."""
    make_ready(lake, [RUNS])
    versions = {"interactions": 1, "samples": 2, "candidates": 2}
    for job, at in ENDED:
        read = {"interactions": versions[job] + ((job, at) == ("candidates", 0)), "prices": at}
        record(lake, job, DAY + at * HORIZON, versions_read=json.dumps(read))
    judged(lake, DAY, 0.3)
    job = context(lake)
    job.job.run(job)
    told = "silver.interactions was at version 2 for candidates of 2024-02-16 and 3 for candidates of 2024-03-01: data"
    assert f"warning: {told}" in capsys.readouterr().out
    assert job.detail["mixed"].startswith(told)
    assert "prices" not in job.detail["mixed"]


def test_a_run_for_an_earlier_date_is_held_against_what_was_published_up_to_it(lake: Lake) -> None:
    later, earlier = DAY + HORIZON, DAY - HORIZON
    for day, run_id, value in ((earlier, "first", 0.2), (later, "third", 0.5), (DAY, "second", 0.19)):
        ended(lake, day, run_id)
        judged(lake, day, value, run_id)
        job = context(lake, day, run_id)
        job.job.run(job)
    followed = {row["run_id"]: (row["sequence"], row["predecessor"]) for row in rows(lake, RUNS)}
    assert followed == {"first": (1, ""), "third": (2, "first"), "second": (3, "third")}
    ended(lake, later, "worse")
    judged(lake, later, 0.4, "worse")
    with pytest.raises(ShoprecError, match=r"ndcg@10 0\.4000 against 0\.5000"):
        context(lake, later, "worse").job.run(context(lake, later, "worse"))
