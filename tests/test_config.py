"""What a run is told: layers, unknown names, wrong values."""

from datetime import date
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from shoprec import config
from shoprec.errors import ConfigError
from shoprec.settings import Settings, nearest


class Steps(Settings):
    rounds: int = 3


class AlsSettings(Settings):
    rank: int = Field(32, ge=1, le=1024)
    steps: Steps = Steps()


CLASSES = {"als": AlsSettings}


@pytest.fixture
def shop(tmp_path: Path) -> str:
    text = """
name: tiny
currency: EUR
datasets:
  sales: {format: csv, path: sales.csv}
tables:
  interactions:
    - dataset: sales
      columns:
        {event_at: at, market: "'eu'", domain: "'all'", type: "'purchase'", user_id: who, item_id: what, quantity: "1"}
  items:
    - dataset: sales
      columns: {item_id: what, domain: "'all'"}
settings:
  als: {rank: 8}
"""
    path = tmp_path / "tiny.yml"
    path.write_text(text)
    return str(path)


def load(shop: str, *settings: str, env: str = "local") -> config.Config:
    return config.load(env, shop, settings, CLASSES)


def test_set_wins_over_the_shop_which_wins_over_defaults(shop: str) -> None:
    assert load(shop).jobs["als"].rank == 8
    assert load(shop, "als.rank=16").jobs["als"].rank == 16
    assert load(shop, "horizon=7").horizon == 7


def test_environment_keys_may_be_set(shop: str) -> None:
    told = load(shop, "tables=/somewhere", "spark.driver.memory=1g", "memory_gib=0.5")
    assert told.env.tables == "/somewhere"
    assert told.env.spark["spark.driver.memory"] == "1g"
    assert told.env.memory_gib == 0.5


def test_a_file_of_settings_says_what_set_would_and_later_ones_win(shop: str, tmp_path: Path) -> None:
    (tmp_path / "found.yml").write_text("als: {rank: 24, steps: {rounds: 2}}\n")
    (tmp_path / "none.yml").write_text("{}\n")
    found, none = (f"@{tmp_path}/{name}.yml" for name in ("found", "none"))
    assert load(shop, found, none).jobs == load(shop, "als.rank=24", "als.steps={rounds: 2}").jobs
    assert load(shop, found, "als.rank=5").jobs["als"].rank == 5
    assert load(shop, "als.rank=5", found).jobs["als"].rank == 24


@pytest.mark.parametrize(("text", "words"), [("als: 24", "is {job: {setting: value}}"), ("a: [", "is not YAML")])
def test_files_that_hold_no_settings_are_named(shop: str, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "found.yml").write_text(text)
    with pytest.raises(ConfigError, match=f"found.yml.*{words}"):
        load(shop, f"@{tmp_path}/found.yml")
    with pytest.raises(ConfigError, match=r"missing.yml: there is no such file"):
        load(shop, "@missing.yml")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("als.rnak=8", "there is no such setting; did you mean 'als.rank'?"),
        ("als.steps={ruonds: 4}", "there is no 'steps.ruonds'; did you mean 'rounds'?"),
        ("als.steps.rounds=4", "write --set 'als.steps={rounds: …}'"),
        ("tabels=x", "did you mean 'tables'?"),
        ("spark={driver.memory: 1g}", "there is no such setting; give each of Spark's by its own name"),
        ("als.rank=0", "settings of job als: rank: Input should be greater than or equal to 1 .given: 0."),
        ("als.rank=many", "settings of job als: rank: Input should be a valid integer"),
        ("horizon=0", "--set: horizon: Input should be greater than or equal to 1"),
        ("rank", "'rank' is not key=value"),
    ],
)
def test_wrong_settings_are_named(shop: str, setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(shop, setting)


def test_unknown_environments_and_shops_name_the_nearest(shop: str) -> None:
    with pytest.raises(ConfigError, match="there is no conf/env/locl.yml: did you mean 'local'?"):
        load(shop, env="locl")
    with pytest.raises(ConfigError, match="did you mean 'completejourney'?"):
        load("completejourny")
    with pytest.raises(ConfigError, match=r"cannot read nowhere.yml: No such file or directory"):
        load("nowhere.yml")


def test_an_unset_variable_of_an_environment_is_named(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOPREC_TABLES", raising=False)
    with pytest.raises(ConfigError, match="tables: the variable SHOPREC_TABLES is not set"):
        load(shop, env="prod")
    monkeypatch.setenv("SHOPREC_TABLES", "cat.sch")
    monkeypatch.setenv("SHOPREC_FILES", "/volumes/x")
    assert load(shop, env="prod").env.tables == "cat.sch"


def test_the_run_id_follows_what_decides_the_result(shop: str) -> None:
    day = date(2017, 10, 1)
    told = load(shop)
    assert told.run_id(day) == load(shop, "tables=/elsewhere").run_id(day)
    assert told.run_id(day) != load(shop, "als.rank=9").run_id(day)
    assert told.run_id(day) != load(shop, "seed=1").run_id(day)
    assert told.run_id(day).startswith("2017-10-01-tiny-")


def test_dates_are_counted_in_horizons(shop: str) -> None:
    assert load(shop).date_at(date(2017, 10, 15), -1) == date(2017, 10, 1)


def test_nearest_lists_what_is_known_when_nothing_is_close() -> None:
    assert nearest("zzz", ["alpha", "beta"]) == "known: alpha, beta"


def test_a_value_that_is_not_yaml_is_named(shop: str) -> None:
    with pytest.raises(ConfigError, match=r"--set metrics\.dates is not YAML: .* \(given: '\[2017-10-20, 2017'\)"):
        load(shop, "metrics.dates=[2017-10-20, 2017")


def test_a_run_goes_on_under_settings_that_decide_only_where_and_how_it_works(shop: str) -> None:
    class Settled(AlsSettings):
        PLACE: ClassVar[frozenset[str]] = frozenset(["threads"])
        TARGET: ClassVar[frozenset[str]] = frozenset(["out"])
        threads: int = 1
        out: str = ""

    def told(*settings: str) -> config.Config:
        return config.load("local", shop, settings, {"als": Settled})

    plain, threads, out = told(), told("als.threads=4"), told("als.out=there")
    assert plain.digest == threads.digest == out.digest != told("als.rank=16").digest
    assert plain.job_digest("als") == threads.job_digest("als") != out.job_digest("als")
    assert plain.job_digest("samples") == out.job_digest("samples")
