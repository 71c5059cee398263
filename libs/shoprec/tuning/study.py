"""Studies: for each source, trials of settings, by Optuna, until the time is over.

The sampler is a tree-structured Parzen estimator (Bergstra et al., "Algorithms for hyper-parameter optimization",
2011), begun with the settings as they are; a trial that is worse on its first days than half of those before it was is
not judged on the others (median stopping).
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from pydantic import ValidationError

from shoprec.config import Config
from shoprec.errors import ConfigError, ShoprecError
from shoprec.models.sources import Source, config_of
from shoprec.tuning.config import Dimension

#: What the study's trials are judged by: of a configuration and the number of a day, the figure; higher is better.
Judge = Callable[[Config, int], float]

optuna.logging.set_verbosity(optuna.logging.WARNING)

#: Trials drawn at random before the estimator says what to try.
_AT_RANDOM = 8


def look(studies: Mapping[str, "Study"], minutes: float, trials: int, progress: Callable[[str], None]) -> None:
    """Try until the time is over, each time for the study that had the least of it.

    No trial begins that would, by its study's mean, end after the time; each study has one at least.

    :param trials: of one study, at most
    """
    ends = time.monotonic() + 60 * minutes
    while True:
        left = ends - time.monotonic()
        able = [one for one in studies.values() if len(one.ended) < trials and (not one.ended or one.mean_s < left)]
        if not able:
            return
        one = min(able, key=lambda study: study.spent_s)
        progress(one.tried())


class Study:
    """The trials of one source."""

    def __init__(
        self, name: str, dimensions: Mapping[str, Dimension], told: Config, judge: Judge, folds: int,
        storage: optuna.storages.BaseStorage, seed: int, of: str = "",
    ) -> None:  # fmt: skip
        """
        :param name: of the source
        :param of: what its figures are of, beside the source: those of another kind are another study's
        :raises ConfigError: a setting is none, or cannot be looked for in such a dimension
        """
        self.source, self._told, self._judge, self._folds = name, told, judge, folds
        self._as_it_is = {path: value_at(told, path) for path in dimensions}
        self._distributions = {path: distribution(path, dimensions[path], self._as_it_is[path]) for path in dimensions}
        space = {path: repr(one) for path, one in self._distributions.items()}
        full_name = f"{name} {_digest([of, folds, space, self._as_it_is])}"
        self._study = optuna.create_study(
            study_name=full_name, storage=storage, load_if_exists=True, direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_AT_RANDOM),
        )  # fmt: skip
        for left in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.tell(left.number, state=TrialState.FAIL)  # by a process that was ended
        # Gone on with, it is not to draw what it drew before.
        self._study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=_AT_RANDOM, seed=seed + len(self._study.trials)
        )
        if self.baseline is None:
            self._study.enqueue_trial(self._as_it_is)

    @property
    def ended(self) -> list[FrozenTrial]:
        """Trials that came to an end, however."""
        return self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))

    @property
    def spent_s(self) -> float:
        """Seconds of all trials."""
        return sum(one.duration.total_seconds() for one in self.ended)

    @property
    def mean_s(self) -> float:
        """Seconds of a trial."""
        return self.spent_s / max(1, len(self.ended))

    @property
    def baseline(self) -> FrozenTrial | None:
        """The trial of the settings as they are; None: it was not judged."""
        return next((one for one in self.judged if one.params == self._as_it_is), None)

    @property
    def judged(self) -> list[FrozenTrial]:
        """Trials that were judged on every day, in their order."""
        return self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

    @property
    def best(self) -> FrozenTrial | None:
        """The first of those with the best figure; None: no trial was judged."""
        return max(self.judged, key=lambda one: (one.value, -one.number), default=None)

    def tried(self) -> str:
        """Make one trial; what is to be told of it."""
        trial = self._study.ask(self._distributions)
        figures: list[float] = []
        try:
            told = changed(self._told, trial.params)
            for fold in range(self._folds):
                figures.append(self._judge(told, fold))
                trial.report(sum(figures) / len(figures), fold)
                if fold + 1 < self._folds and trial.should_prune():
                    self._study.tell(trial, state=TrialState.PRUNED)
                    return f"{self._head(trial)}: {figures[-1]:.4f} on its first days, no further"
        except (ShoprecError, ValidationError) as error:
            self._study.tell(trial, state=TrialState.FAIL)
            return f"{self._head(trial)}: not judged: {' '.join(str(error).split())}"
        except BaseException:
            self._study.tell(trial, state=TrialState.FAIL)
            raise
        self._study.tell(trial, sum(figures) / len(figures))
        return f"{self._head(trial)}: {sum(figures) / len(figures):.4f} (best {self.best.value:.4f})"

    def _head(self, trial: optuna.Trial) -> str:
        values = ", ".join(f"{path.rpartition('.')[2]}={_short(value)}" for path, value in trial.params.items())
        return f"{self.source} {trial.number + 1} [{values}]"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def distribution(path: str, dimension: Dimension, value: Any) -> BaseDistribution:
    """The same, as Optuna has it, and so wide that it holds ``value``, which is the setting as it is.

    :raises ConfigError: no dimension of this kind holds the value
    """
    try:
        if dimension.choices:
            return CategoricalDistribution(tuple(dict.fromkeys((*dimension.choices, value))))
        low, high = min(dimension.low, value), max(dimension.high, value)
        if dimension.whole:
            return IntDistribution(int(low), int(high), log=dimension.log)
        return FloatDistribution(low, high, log=dimension.log)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"tune: {path} is {value!r}, which its dimension cannot hold: {error}") from error


def _digest(told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:12]


def value_at(told: Config, path: str) -> Any:
    """The value of a setting.

    :param path: job.setting[.…]; through mappings by their keys
    :raises ConfigError: there is none
    """
    job, *names = path.split(".")
    found: Any = told.jobs.get(job)
    last = ""
    for name in names:
        if isinstance(found, Source) and name == "options":
            # They hold what was said alone.
            found = config_of(last, found)
        else:
            found = found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)
        if found is None:
            raise ConfigError(f"tune: there is no setting {path}")
        last = name
    return found


def changed(told: Config, values: Mapping[str, Any]) -> Config:
    """``told`` with other values at some paths.

    :raises ConfigError: there is no such job
    :raises ValidationError: the job takes no such value
    """
    jobs = dict(told.jobs)
    for job in {path.partition(".")[0] for path in values}:
        if job not in jobs:
            raise ConfigError(f"tune: there is no job {job}")
        plain = jobs[job].model_dump(mode="json")
        for path, value in values.items():
            own, *names, last = path.split(".")
            if own == job:
                _inside(plain, names)[last] = value
        jobs[job] = type(jobs[job])(**plain)
    return replace(told, jobs=jobs)


def _inside(plain: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    for name in names:
        plain = plain.setdefault(name, {})
    return plain
