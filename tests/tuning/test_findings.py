"""What studies found, written down."""

import optuna
import yaml

from shoprec.errors import ShoprecError
from shoprec.job import load_config
from shoprec.tuning.config import Dimension
from shoprec.tuning.findings import found, page, settings_file, table
from shoprec.tuning.study import Study, look
from tests.tuning.test_study import ALPHA, DECAY, TOLD


def studies(judge):
    spaces = {"als": {ALPHA: Dimension(low=1, high=100)}, "co_visit": {DECAY: Dimension(low=0.1, high=0.9)}}
    storage = optuna.storages.InMemoryStorage()
    made = {name: Study(name, space, TOLD, judge, 1, storage, 3) for name, space in spaces.items()}
    look(made, 10, 6, lambda _: None)
    return made


def test_a_run_told_the_file_has_the_best_settings(tmp_path):
    made = studies(
        lambda told, _: told.jobs["als"].alpha - told.jobs["candidates"].sources["co_visit"].options.get("decay", 0.6)
    )
    after = found(TOLD, made)
    (tmp_path / "settings.yml").write_text(settings_file(TOLD, after))
    told = load_config("local", "completejourney", ["candidates.sources=[als, co_visit]", f"@{tmp_path}/settings.yml"])
    assert told.jobs["als"].alpha == made["als"].best.params[ALPHA] > 10
    assert told.jobs["candidates"].sources["co_visit"].options["decay"] == made["co_visit"].best.params[DECAY] < 0.6
    assert told == after
    # What was not looked for stays out of the file.
    assert list(yaml.safe_load((tmp_path / "settings.yml").read_text())) == ["als", "candidates"]


def test_where_nothing_is_better_nothing_is_written():
    made = studies(lambda told, _: 0.5)
    assert settings_file(TOLD, found(TOLD, made)) == "{}\n"


def test_where_the_settings_as_they_are_were_not_judged_they_stay():
    def judge(told, fold):
        if told.jobs["als"].alpha == 10:
            raise ShoprecError("no luck")
        return told.jobs["als"].alpha

    made = studies(judge)
    assert settings_file(TOLD, found(TOLD, made)) == "{}\n"
    assert "came to no figure" in page("Tuning", "ndcg@10", made)


def test_the_page_and_the_table_tell_of_every_trial():
    made = studies(lambda told, _: told.jobs["als"].alpha)
    shown = page("Tuning of <x>", "ndcg@10", made)
    assert "Tuning of &lt;x&gt;" in shown
    assert shown.count("<svg") == 2
    lines = table(made).splitlines()
    assert len(lines) == 1 + 12
    assert lines[1].startswith("als\t1\tcomplete\t10.000000\t")
