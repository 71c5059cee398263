"""The run in figures: the best source, differences, days, and what the demo prints."""

from datetime import date
from typing import Any

import pytest

from shoprec.evaluation.summary import best_source, summary, summary_table, times_popular

JOBS = [{"job": "als", "seconds": 20.04}, {"job": "als", "seconds": 22.0}, {"job": "export", "seconds": 3.26}]


def row(subject: str, metric: str, value: float, **other: Any) -> dict[str, Any]:
    base = {"as_of": date(2024, 3, 15), "lists_as_of": date(2024, 3, 1), "list": "all", "segment": "all", "users": 90}
    return (
        base
        | {
            "subject": subject,
            "metric": metric,
            "value": value,
            "low": value - 0.1,
            "high": value + 0.1,
            "p_value": None,
        }
        | other
    )


@pytest.fixture
def metrics() -> list[dict[str, Any]]:
    rows = []
    for name, figures in {"fused": (0.40, 0.6), "als": (0.30, 0.7), "popular": (0.10, 0.2)}.items():
        for metric, value in zip(("ndcg@10", "recall@20"), figures, strict=True):
            rows.append(row(name, metric, value))
            rows.append(row(name, metric, value / 4, list="discovery", users=80))
            rows.append(row(name, metric, 0.99, segment="activity=low", users=30))
            rows.append(row(name, metric, 0.98, as_of=date(2024, 3, 1), lists_as_of=date(2024, 2, 16)))
    for source, by, p in (("als", 0.10, 0.004), ("popular", 0.30, 0.001)):
        rows.append(row(f"fused - {source}", "ndcg@10", by, p_value=p))
    rows.append(row("fused - als", "recall@20", -0.1, p_value=0.2))
    return rows


def test_figures_of_the_last_day_over_all_users(metrics: list[dict[str, Any]]) -> None:
    got = summary(metrics, JOBS, {"gold.metrics": 7})
    assert got["metrics"] == {
        "fused": {"ndcg@10": 0.40, "recall@20": 0.6},
        "als": {"ndcg@10": 0.30, "recall@20": 0.7},
        "popular": {"ndcg@10": 0.10, "recall@20": 0.2},
    }
    assert list(got["metrics"]) == ["fused", "als", "popular"]
    assert got["discovery"]["popular"]["ndcg@10"] == pytest.approx(0.025)
    assert got["judged"] == {"lists_as_of": "2024-03-01", "as_of": "2024-03-15", "users": 90, "users_discovery": 80}
    assert got["jobs"] == {"als": 42.0, "export": 3.3}
    assert got["rows"] == {"gold.metrics": 7}


def test_fused_is_held_against_the_best_source_of_each_measure(metrics: list[dict[str, Any]]) -> None:
    paired = summary(metrics, JOBS, {})["paired"]
    assert paired["all"]["ndcg@10"] == {"source": "als", "value": 0.10, "low": 0.0, "high": 0.2, "p": 0.004}
    assert paired["all"]["recall@20"]["value"] == -0.1
    assert paired["discovery"] == {}


def test_best_source_leaves_fused_out() -> None:
    assert best_source({"fused": {"ndcg@10": 9}, "a": {"ndcg@10": 1}, "b": {"ndcg@10": 2}, "c": {}}) == "b"
    assert best_source({"fused": {"ndcg@10": 9}}) is None


def test_times_popular_needs_both_and_a_figure_above_zero() -> None:
    assert times_popular({"fused": {"ndcg@10": 0.3}, "popular": {"ndcg@10": 0.1}}) == pytest.approx(3)
    assert times_popular({"fused": {"ndcg@10": 0.3}, "popular": {"ndcg@10": 0.0}}) is None
    assert times_popular({"fused": {"ndcg@10": 0.3}}) is None


def test_the_table_says_what_was_judged_how_good_it_was_and_what_it_cost(metrics: list[dict[str, Any]]) -> None:
    cost = {"seconds": 512.4, "cpu_seconds": 901.0, "peak_rss_gib": 5.25}
    lines = summary_table({**summary(metrics, JOBS, {}), **cost}).splitlines()
    assert lines[0] == "90 users judged by what they bought in 2024-03-01 … 2024-03-15"
    fused = next(line for line in lines if line.startswith("fused ")).split()
    assert fused == ["fused", "0.4000", "0.6000", "–", "–", "0.1000", "0.1500", "–", "–"]
    assert any(
        "fused − als (best source) = +0.1000, 95% interval +0.0000 … +0.2000, p = 0.004" in line for line in lines
    )
    assert "new items: ndcg@10 of fused is 4.00 times that of popular" in lines
    assert lines[-1] == "512 s, 901 CPU-s, at most 5.2 GiB"
    assert max(map(len, lines)) <= 132


def test_a_run_whose_sources_alone_were_judged_has_a_summary() -> None:
    got = summary([row("als", "ndcg@10", 0.2)], [], {})
    assert got["paired"] == {"all": {}, "discovery": {}}
    assert "als" in summary_table(got)
