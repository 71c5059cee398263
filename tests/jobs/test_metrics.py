"""The job metrics: the lists of one horizon earlier, judged by what was known of the days since."""

import math
from datetime import date
from types import SimpleNamespace

import pytest
from pyspark.sql import SparkSession

from shoprec.context import JobContext
from shoprec.contracts.gold import METRICS
from shoprec.errors import ConfigError, ContractBroken
from shoprec.job import load_job
from shoprec.resources import job_module
from tests import small_tables
from tests.jobs import judged
from tests.jobs.judged import JUDGED, LATER, MADE, RUN, Lists


@pytest.fixture(scope="module")
def lists(spark: SparkSession) -> Lists:
    return judged.lists(spark)


@pytest.fixture(scope="module")
def got(lists: Lists) -> dict[tuple, dict]:
    assert lists.judged.written[0].rows > 0
    return rows(lists, JUDGED)


def rows(lists: Lists, day: date, job: str = "metrics") -> dict[tuple, dict]:
    found = small_tables.rows(lists.lake, METRICS, as_of=day, run_id=RUN, job=job)
    return {(r["subject"], r["list"], r["segment"], r["metric"]): r for r in found}


def test_lists_are_judged_by_hand(got: dict) -> None:
    # als a, d, e: u1 buys a and d (positions 1, 2), u2 d (2), u3 e (3). What became known after the day of judging
    # does not count, although the job itself runs later.
    second, third = 1 / math.log2(3), 1 / math.log2(4)
    als = got["als", "all", "all", "ndcg@10"]
    assert als["value"] == pytest.approx((1 + second + third) / 3)
    assert (als["users"], als["lists_as_of"], als["p_value"]) == (3, MADE, None)
    assert als["low"] <= als["value"] <= als["high"]
    # fused d, a: u1 both, u2 d (1), u3 nothing
    assert got["fused", "all", "all", "ndcg@10"]["value"] == pytest.approx((1 + 1 + 0) / 3)
    assert got["fused", "all", "all", "recall@20"]["value"] == pytest.approx(2 / 3)
    # discovery: u1 d, u2 d, u3 e are new; als without what each had bought: u1 d, e; u2 and u3 a, d, e
    assert got["als", "discovery", "all", "mrr@10"]["value"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert got["popular", "discovery", "all", "hit_rate@10"]["value"] == 0
    assert got["fused", "discovery", "all", "mrr@10"]["value"] == pytest.approx((1 + 1 + 1 / 2) / 3)
    # als shows 3 of the 8 items
    assert got["als", "all", "all", "coverage@10"]["value"] == pytest.approx(3 / 8)
    assert got["als", "all", "all", "coverage@10"]["low"] is None


def test_fused_is_paired_with_every_source(got: dict) -> None:
    values = {s: got[s, "all", "all", "ndcg@10"]["value"] for s in ("fused", "als", "popular")}
    for source in ("als", "popular"):
        paired = got[f"fused - {source}", "all", "all", "ndcg@10"]
        assert paired["value"] == pytest.approx(values["fused"] - values[source])
        assert 0 < paired["p_value"] <= 1


def test_segments_are_thirds_of_known_users(lists: Lists, got: dict) -> None:
    # purchases 1, 2, 3, 4: a third of four users lies at or below 2, two thirds at or below 3
    assert lists.judged.detail["judged"]["2024-03-15"] == {"users": 3, "newcomers": 1, "activity_bounds": [2, 3]}
    assert got["als", "all", "activity=low", "recall@10"]["users"] == 2
    assert got["als", "all", "activity=mid", "recall@10"]["users"] == 1
    assert not [key for key in got if key[2] == "activity=high"]


def test_each_day_of_judging_has_its_slice(lists: Lists, got: dict) -> None:
    assert {row["lists_as_of"] for row in got.values()} == {MADE}
    later = rows(lists, LATER)
    assert {row["lists_as_of"] for row in later.values()} == {JUDGED}
    # From 15 March on u2 alone buys: a, listed first by als
    assert later["als", "all", "all", "ndcg@10"]["value"] == pytest.approx(1)
    assert later["als", "all", "all", "ndcg@10"]["users"] == 1


def test_several_days_are_judged_together(lists: Lists, got: dict) -> None:
    """Three users of the first day and one of the second: the mean of four values, u2 being in it twice."""
    assert got
    together = rows(lists, LATER, "metrics of all days")
    als = together["als", "all", "all", "ndcg@10"]
    assert als["value"] == pytest.approx((1 + 1 / math.log2(3) + 1 / math.log2(4) + 1) / 4)
    assert (als["users"], als["lists_as_of"]) == (4, MADE)
    assert together["fused - als", "all", "all", "ndcg@10"]["p_value"] is not None


def test_each_day_is_judged_by_the_run_published_for_its_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's own day by its own run, whatever else was published; a day without a published run by it too."""
    published = {date(2024, 3, 1): {"run_id": "early"}, date(2024, 3, 15): {"run_id": "newer"}}
    told = SimpleNamespace(horizon=14)
    job = JobContext(load_job("metrics"), told, SimpleNamespace(), date(2024, 3, 29), "own")
    metrics = job_module("metrics")
    monkeypatch.setattr(metrics, "latest_run", lambda _, day: published.get(day))
    for_day = metrics._for_day
    days = {day: for_day(job, day).run_id for day in (date(2024, 3, 15), date(2024, 3, 20), date(2024, 3, 29))}
    assert list(days.values()) == ["early", "own", "own"]
    assert for_day(job, date(2024, 3, 15)).as_of == date(2024, 3, 15)


def test_days_without_a_purchase_at_the_end_are_told(lists: Lists, capsys: pytest.CaptureFixture[str]) -> None:
    """The last purchases: of 14 March, a day before judging, and of 15 March, thirteen days before the other."""
    lists.run("metrics", as_of=JUDGED, replicates=100)
    assert "warning" not in capsys.readouterr().out
    lists.run("metrics", as_of=LATER, replicates=100)
    assert "the last purchase in the lake is of 2024-03-15: if the shop sold in the 13 days" in capsys.readouterr().out


def test_a_day_that_is_still_to_come_is_refused(lists: Lists) -> None:
    with pytest.raises(ConfigError, match=r"metrics\.dates names 2024-03-29, after --as-of 2024-03-15"):
        lists.run("metrics", dates=(JUDGED, LATER))


def test_nobody_to_judge_is_refused(lists: Lists) -> None:
    with pytest.raises(ContractBroken, match="run run-7 made for 2024-02-16 cannot be judged: no user known then"):
        lists.run("metrics", as_of=MADE)


def test_a_run_without_lists_is_refused(lists: Lists) -> None:
    lists.add_users(MADE, "other")
    with pytest.raises(ContractBroken, match="made for 2024-03-01 cannot be judged: it made no recommendations"):
        lists.run("metrics", run_id="other")
