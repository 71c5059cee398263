"""Studies against figures that are known: they begin where they are, find what is better, and go on where they were."""

import optuna
import pytest

from shoprec.errors import ConfigError, ShoprecError
from shoprec.job import load_config
from shoprec.tuning.config import Dimension
from shoprec.tuning.study import Study, changed, distribution, look, value_at

TOLD = load_config("local", "completejourney", ["candidates.sources=[als, co_visit]"])
ALPHA, DECAY = "als.alpha", "candidates.sources.co_visit.options.decay"
SPACE = {ALPHA: Dimension(low=1, high=100, log=True)}


def near_30(told, _):
    return 1 - abs(told.jobs["als"].alpha - 30) / 100


def study(judge=near_30, folds=1, space=SPACE, storage=None, name="als", seed=1, of=""):
    return Study(name, space, TOLD, judge, folds, storage or optuna.storages.InMemoryStorage(), seed, of)


def test_the_first_trial_has_the_settings_as_they_are_and_the_best_is_nearer_to_what_is_best():
    made = study()
    look({"als": made}, 10, 25, lambda _: None)
    assert len(made.ended) == len(made.judged) == 25
    assert made.baseline.number == 0
    assert made.baseline.params == {ALPHA: 10.0}
    assert made.baseline.value == pytest.approx(0.8)
    assert made.best.value > 0.95
    assert made.best.value == max(trial.value for trial in made.judged)


def test_of_equal_trials_the_first_is_best():
    made = study(lambda told, fold: 0.5)
    look({"als": made}, 10, 5, lambda _: None)
    assert made.best.number == 0


def test_a_study_goes_on_where_it_was_and_draws_nothing_anew():
    storage = optuna.storages.InMemoryStorage()
    for trials in (3, 6):
        made = study(storage=storage)
        look({"als": made}, 10, trials, lambda _: None)
        assert len(made.ended) == trials
    assert len({trial.params[ALPHA] for trial in made.ended}) == 6


def test_ended_in_the_first_trial_a_study_begins_with_the_settings_as_they_are_again():
    storage = optuna.storages.InMemoryStorage()
    ended = study(storage=storage)
    ended._study.ask(ended._distributions)  # and nothing is told of it
    made = study(storage=storage)
    look({"als": made}, 10, 5, lambda _: None)
    assert made.baseline.number == 1
    assert made.baseline.value == pytest.approx(0.8)
    assert [trial.state.name for trial in made.ended] == ["FAIL", *["COMPLETE"] * 4]


@pytest.mark.parametrize("other", [{"space": {ALPHA: Dimension(low=1, high=50)}}, {"folds": 2}, {"of": "recall@10"}])
def test_trials_of_another_space_or_figure_are_another_studys(other):
    storage = optuna.storages.InMemoryStorage()
    look({"als": study(storage=storage)}, 10, 3, lambda _: None)
    assert study(storage=storage, **other).ended == []
    assert len(study(storage=storage).ended) == 3


def test_values_that_the_job_refuses_are_told_and_the_others_go_on():
    said, made = [], study(space={"als.rank": Dimension(low=-9, high=60, whole=True)})
    look({"als": made}, 10, 12, said.append)
    assert len(made.judged) < len(made.ended) == 12
    assert any("not judged" in text and "greater than or equal to 1" in text for text in said)


def test_without_time_each_source_has_one_trial():
    made = {name: study(name=name) for name in ("one", "other")}
    look(made, 1e-9, 10, lambda _: None)
    assert [len(one.ended) for one in made.values()] == [1, 1]


def test_a_trial_far_worse_on_its_first_day_is_not_judged_on_the_second():
    seen = []

    def judge(told, fold):
        seen.append(fold)
        return 1.0 if len(seen) <= 2 * 9 else 0.0

    made = study(judge, folds=2)
    look({"als": made}, 10, 12, lambda _: None)
    assert seen == [0, 1] * 9 + [0] * 3
    assert (len(made.judged), len(made.ended)) == (9, 12)


def test_a_trial_that_fails_is_told_and_the_others_go_on():
    def judge(told, fold):
        if told.jobs["als"].alpha != 10:
            raise ShoprecError("diverged")
        return 0.1

    said, made = [], study(judge)
    look({"als": made}, 10, 3, said.append)
    assert (len(made.judged), len(made.ended)) == (1, 3)
    assert "diverged" in said[1]


def test_a_mistake_is_not_taken_for_a_bad_trial():
    def judge(told, fold):
        raise KeyError("a mistake")

    with pytest.raises(KeyError):
        study(judge).tried()


def test_values_are_found_and_changed_at_their_paths_where_nothing_was_said_of_them():
    assert (value_at(TOLD, ALPHA), value_at(TOLD, DECAY)) == (10.0, 0.6)
    told = changed(TOLD, {ALPHA: 7.0, DECAY: 0.5})
    assert told.jobs["als"].alpha == 7.0
    assert told.jobs["candidates"].sources["co_visit"].options == {"decay": 0.5}
    assert value_at(TOLD, DECAY) == 0.6
    for path in ("als.alpa", "alss.alpha", "candidates.sources.other.new"):
        with pytest.raises(ConfigError, match=path):
            value_at(TOLD, path)


def test_the_space_is_widened_to_what_the_setting_is():
    assert distribution("x", Dimension(low=20, high=50), 10.0).low == 10
    assert distribution("x", Dimension(low=1, high=5, whole=True), 8).high == 8
    assert distribution("x", Dimension(choices=("a", "b")), "c").choices == ("a", "b", "c")
    for value in (0, "no number"):
        with pytest.raises(ConfigError, match=r"als\.alpha is"):
            distribution(ALPHA, SPACE[ALPHA], value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "low and high, or choices"),
        ({"low": 1}, "low and high, or choices"),
        ({"low": 1, "high": 2, "choices": (1,)}, "low and high, or choices"),
        ({"low": 2, "high": 2}, "not below"),
        ({"low": 0, "high": 2, "log": True}, "above 0"),
    ],
)
def test_a_dimension_is_bounds_or_choices(wrong, said):
    with pytest.raises(ValueError, match=said):
        Dimension(**wrong)
