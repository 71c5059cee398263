"""The gate before publishing."""

import pytest

from shoprec.errors import ConfigError
from shoprec.evaluation.gate import GateConfig, decide

CONFIG = GateConfig(metric="ndcg@10", tolerance=0.1)


@pytest.mark.parametrize(
    ("ours", "last", "passed"),
    [
        ({"ndcg@10": 0.001}, None, True),
        ({"ndcg@10": 0.20}, {"ndcg@10": 0.20}, True),
        ({"ndcg@10": 0.1801}, {"ndcg@10": 0.20}, True),
        ({"ndcg@10": 0.1799}, {"ndcg@10": 0.20}, False),
        ({"ndcg@10": 0.1}, {"recall@10": 0.9}, True),
    ],
)
def test_a_tenth_may_be_lost_and_no_more(ours: dict, last: dict | None, passed: bool) -> None:
    assert decide(ours, last, CONFIG).passed is passed


def test_the_verdict_names_both_figures_and_the_floor() -> None:
    assert decide({"ndcg@10": 0.1}, {"ndcg@10": 0.2}, CONFIG).reason == (
        "ndcg@10 0.1000 against 0.2000 of the published run before (floor 0.1800)"
    )


def test_sources_that_stand_above_the_list_are_named_best_first() -> None:
    ours = {"ndcg@10": 0.1, "sources": {"als": 0.11, "popular": 0.3, "trending": 0.10004}, "users": 5}
    below = "; warning: for the same users popular alone has 0.3000, als alone has 0.1100"
    assert decide(ours, None, CONFIG).reason == f"ndcg@10 0.1000; no published run to compare with{below}"
    assert decide(ours, {"ndcg@10": 0.1}, CONFIG).reason.endswith(f"(floor 0.0900){below}")


def test_a_run_without_the_gates_figure_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no figure .* run recommendations before runs"):
        decide({}, None, CONFIG)
