"""tune: on the simulated shop, against figures worked out from the lists that its run made."""

import math
import shutil
from datetime import timedelta

import pytest
import yaml

from shoprec.context import known_before
from shoprec.contracts.gold import CANDIDATES, USER_INDEX
from shoprec.contracts.silver import INTERACTIONS
from shoprec.errors import ConfigError
from shoprec.job import load_config, opened, run
from tests.small_run import QUICK, SHOP

SPACE = {
    "popular": {"candidates.sources.popular.options.half_life_days": {"low": 5, "high": 50}},
    "co_visit": {"item_neighbours.co_visit.backward": {"choices": [0, 0.5, 1]}},
}


@pytest.fixture
def settings(small_run, tmp_path, monkeypatch):
    """Of a copy of the run's lake."""
    for name, value in SHOP.items():
        monkeypatch.setenv(name, value)
    shutil.copytree(small_run.tables, tmp_path / "lake")
    (tmp_path / "space.yml").write_text(yaml.safe_dump(SPACE))
    sources = "candidates.sources=[als, popular, co_visit]"
    looked = ["tune.minutes=0.0001", "tune.list=discovery", f"tune.space={tmp_path}/space.yml"]
    return [f"tables={tmp_path}/lake", f"files={tmp_path}/files", "memory_gib=0", *QUICK, sources, *looked]


def test_a_trials_figure_is_that_of_the_lists_which_a_run_makes(small_run, spark, settings):
    made = run("tune", small_run.as_of, shop="simulated", settings=[*settings, "tune.folds=1"])
    assert set(made.detail["found"]) == {"popular", "co_visit"}
    found = made.detail["found"]["popular"]
    day = small_run.as_of - timedelta(days=14)
    with opened(load_config("local", "simulated", settings), ()) as lake:
        where = {"run_id": small_run.run_id, "as_of": day}
        told = lake.read(CANDIDATES, source="popular", **where).select("user_id", "rank", "item_id").collect()
        users = {row["user_id"] for row in lake.read(USER_INDEX, **where).collect()}
        known = known_before(lake.read(INTERACTIONS), small_run.as_of).where("type = 'purchase'")
        bought = known.select("user_id", "item_id", "event_at").collect()
    assert found == {"as_it_was": pytest.approx(_ndcg(told, users, bought, day, small_run.as_of)), "trials": 1,
                     "best": found["as_it_was"]}  # fmt: skip


def test_it_goes_on_and_writes_what_a_run_can_be_told(small_run, spark, settings, tmp_path):
    settings = [*settings, "tune.folds=1", "tune.sources=[co_visit]"]
    first = run("tune", small_run.as_of, shop="simulated", settings=settings)
    assert first.detail["found"]["co_visit"]["trials"] == 1
    again = run("tune", small_run.as_of, shop="simulated", settings=[*settings, "tune.minutes=10", "tune.trials=3"])
    assert again.run_id == first.run_id
    assert again.detail["found"]["co_visit"]["trials"] == 3
    assert again.detail["found"]["co_visit"]["as_it_was"] == first.detail["found"]["co_visit"]["as_it_was"]
    place = tmp_path / "files" / "tuning" / again.run_id
    assert not list((place / "trials").iterdir())
    (place / "trials").rmdir()
    assert sorted(path.name for path in place.iterdir()) == ["settings.yml", "trials.log", "trials.tsv", "tuning.html"]
    load_config("local", "simulated", [*settings, f"@{place}/settings.yml"])
    assert len((place / "trials.tsv").read_text().splitlines()) == 1 + 3


def test_what_changes_nothing_or_cannot_be_seen_is_refused(small_run, spark, settings, tmp_path):
    space = {"popular": {"als.rank": {"low": 1, "high": 2}}, "buy_again": {"als.rank": {"low": 1, "high": 2}}}
    (tmp_path / "space.yml").write_text(yaml.safe_dump(space))
    with pytest.raises(ConfigError, match=r"als\.rank changes nothing of popular: name candidates\.sources\.popular\."):
        run("tune", small_run.as_of, shop="simulated", settings=settings)
    told = [*settings, "candidates.sources=[popular, buy_again]", "tune.sources=[buy_again]"]
    with pytest.raises(ConfigError, match=r"set tune\.list=all"):
        run("tune", small_run.as_of, shop="simulated", settings=told)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("tune.sources=[popula]", "'popula' is not in the space; did you mean 'popular'"),
        ("candidates.sources=[als]", "the space holds none; it holds co_visit, popular"),
        ("tune.space=missing.yml", "tune.space=missing.yml: .*No such file"),
        ("tune.storage=nothing", "tune.storage=nothing: "),
    ],
)
def test_what_cannot_be_tuned_is_told(small_run, spark, settings, wrong, said):
    with pytest.raises(ConfigError, match=said):
        run("tune", small_run.as_of, shop="simulated", settings=[*settings, wrong])


def _ndcg(lists, users, bought, day, until):
    """Mean NDCG@10 of what is new to a user, over all who bought anything from ``day`` until ``until``."""
    earlier, later = {}, {}
    for user, item, at in bought:
        if at.date() < until:
            (earlier if at.date() < day else later).setdefault(user, set()).add(item)
    values = []
    for user, items in later.items():
        if user not in users:
            continue
        own = sorted((row["rank"], row["item_id"]) for row in lists if row["user_id"] == user)
        shown = [item for _, item in own if item not in earlier.get(user, ())][:10]
        gain = sum(1 / math.log2(place + 2) for place, item in enumerate(shown) if item in items)
        best = sum(1 / math.log2(place + 2) for place in range(min(10, len(items))))
        values.append(gain / best)
    return sum(values) / len(values)
