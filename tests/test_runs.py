"""Published runs: one of two wins, and readers see nothing else."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from threading import Barrier

import pytest

from shoprec.contracts.gold import CANDIDATES
from shoprec.contracts.gold_runs import RUNS
from shoprec.errors import ConfigError, PublishConflict
from shoprec.lake import Lake
from shoprec.runs import last_published, latest_run, publish, published
from tests.ready import make_ready
from tests.small_tables import add, filled, rows

DAY = date(2017, 10, 1)


def run_row(run_id: str, predecessor: str, sequence: int) -> dict:
    told = {"shop": "s", "horizon": 14, "gate": "{}", "seeds": "{}", "digests": "{}", "settings_hash": "h"}
    row = {"run_id": run_id, "as_of": DAY, "predecessor": predecessor, "sequence": sequence}
    return {**row, **told, "published_at": datetime(2017, 10, 1)}


def test_of_two_runs_that_publish_at_once_one_wins_and_the_other_says_so(lake: Lake) -> None:
    make_ready(lake, [RUNS])
    publish(lake, run_row("first", "", 1))
    together = Barrier(2)

    def try_to(run_id: str) -> str:
        together.wait()
        try:
            publish(lake, run_row(run_id, "first", 2))
        except PublishConflict as error:
            return str(error)
        return "won"

    with ThreadPoolExecutor(2) as pool:
        said = dict(zip("ab", pool.map(try_to, "ab"), strict=True))
    winner = latest_run(lake)["run_id"]
    loser = {"a": "b", "b": "a"}[winner]
    assert said[winner] == "won"
    assert f"run {winner} followed first first" in said[loser]
    assert len(rows(lake, RUNS)) == 2


def test_the_latest_run_of_all_for_a_date_or_before_one(lake: Lake) -> None:
    make_ready(lake, [RUNS])
    assert latest_run(lake, before=DAY) is None
    days = {"a": DAY - timedelta(days=2), "b": DAY - timedelta(days=1), "c": DAY, "d": DAY + timedelta(days=1)}
    for number, (run_id, day) in enumerate(days.items(), start=1):
        publish(lake, run_row(run_id, chr(ord(run_id) - 1) if number > 1 else "", number) | {"as_of": day})
    assert latest_run(lake)["run_id"] == "d"
    assert latest_run(lake, DAY)["run_id"] == "c"
    assert latest_run(lake, before=DAY)["run_id"] == "b"
    assert latest_run(lake, before=days["a"]) is None
    publish(lake, run_row("late", "d", 5) | {"as_of": days["b"]})
    assert (latest_run(lake)["run_id"], last_published(lake)["run_id"]) == ("d", "late")
    assert latest_run(lake, before=DAY)["run_id"] == "late"


def test_readers_see_published_runs_alone(lake: Lake) -> None:
    make_ready(lake, [RUNS, CANDIDATES])
    for run_id in ("seen", "unseen"):
        add(lake, CANDIDATES, [filled(CANDIDATES, {"user_id": "u"})], as_of=DAY, run_id=run_id, source="als")
    with pytest.raises(ConfigError, match="no run has been published"):
        published(lake, CANDIDATES)
    publish(lake, run_row("seen", "", 1))
    assert [row["run_id"] for row in published(lake, CANDIDATES).collect()] == ["seen"]
