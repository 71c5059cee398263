"""What the benchmarks of jobs compute from what they measure."""

import json
import math

import pytest

from shoprec.config import load_graph
from tests.benchmarks import _jobs


def spent(*cpu_seconds):
    return {size: {"als": {"cpu_seconds": seconds}} for size, seconds in zip((1, 3, 10), cpu_seconds, strict=True)}


@pytest.mark.parametrize("power", [0.5, 1.0, 1.3])
def test_what_is_spent_at_any_size_does_not_hide_the_growth(power):
    found = _jobs.growth(spent(*(30 + 5 * size**power for size in (1, 3, 10))))
    assert found["als"]["beyond_start"] == pytest.approx(power, abs=1e-6)
    assert found["als"]["exponent"] < power
    assert found["als"]["a_million"] == pytest.approx(5 * (10**power - 3**power) / 7)


@pytest.mark.parametrize("power", [0.5, 1.0, 1.3])
def test_the_exponent_is_that_of_a_power_of_the_size(power):
    found = _jobs.growth(spent(*(5 * size**power for size in (1, 3, 10))))
    assert found["als"]["exponent"] == pytest.approx(power)


def test_more_events_that_take_less_have_no_exponent_beyond_the_start():
    assert math.isnan(_jobs.growth(spent(30, 29, 40))["als"]["beyond_start"])


def test_jobs_bring_what_comes_before_them():
    part = _jobs._with_all_before(load_graph().jobs, ["samples"])
    assert set(part) == {"samples", "user_index", "item_index", "interactions", "ingest"}


def test_what_spark_tells_goes_to_the_job_of_its_stage(tmp_path):
    def started(stages, pool):
        return {"Event": "SparkListenerJobStart", "Stage IDs": stages, "Properties": {"spark.scheduler.pool": pool}}

    def ended(stage, written, seconds=0.1):
        metrics = {"Shuffle Write Metrics": {"Shuffle Bytes Written": written}}
        info = {"Launch Time": 1_000_000, "Finish Time": 1_000_000 + round(1000 * seconds)}
        return {"Event": "SparkListenerTaskEnd", "Stage ID": stage, "Task Info": info, "Task Metrics": metrics}

    events = [
        started([0, 1], "als for 2020-04-13"), {"Event": "Other", "Stage ID": 0}, ended(0, 2**30), ended(1, 2**29),
        started([2], "als for 2020-03-30"), ended(2, 2**29), started([3], "samples for 2020-04-13"), ended(3, 2**28),
        ended(2, 0, 3.0), ended(2, 0, 6.0), ended(2, 0, 2.0), ended(2, 0, 0.2), ended(3, 0, 0.9), ended(1, 0, 1.5),
    ]  # fmt: skip
    (tmp_path / "app").write_text("".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events))
    # The longest of als: 6 s in stage 2, half of whose tasks took 2 s or more; stage 1 is 1.5 s beside 0.1.
    assert _jobs._told_by_spark(tmp_path) == {
        "als": {"shuffled_gib": 2.0, "longest_task_s": 6.0, "slowest_task": 3.0},
        "samples": {"shuffled_gib": 0.25, "longest_task_s": 0.9, "slowest_task": 1.0},
    }


def test_dates_of_a_job_count_together():
    row = {"job": "als", "seconds": 4.0, "cpu_seconds": 6.0, "peak_rss_gib": 1.0}
    found = _jobs._by_job(
        [row, {**row, "seconds": 6.0, "peak_rss_gib": 2.0}], {"als": {"shuffled_gib": 3.0, "slowest_task": 1.5}}, 1000
    )
    assert found == {
        "als": {
            "seconds": 10, "cpu_seconds": 12, "peak_rss_gib": 2, "shuffled_gib": 3, "slowest_task": 1.5, "dates": 2,
            "rows_a_second": 200,
        }
    }  # fmt: skip
