"""tune: settings of the sources of candidates, found by trials on days before the as-of date.

A trial makes one source with some settings, by the jobs that a run makes it with, as of a day on which it is known what
followed, and has the figure of its lists. Days lie a horizon apart, the latest one horizon before the as-of date. The
trials lie in a database: started again, the job goes on with them.

Below files/tuning/<run>: settings.yml (for --set @FILE, or the shop's settings), trials.tsv, and tuning.html. Indexes
and features of each day stay in gold, under runs of their own (<run>-<day>), which are never published."""

import itertools
import os
from collections.abc import Mapping
from contextlib import ExitStack

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage
from sqlalchemy.exc import SQLAlchemyError

from shoprec.config import Config
from shoprec.contracts.silver import INTERACTIONS
from shoprec.errors import ConfigError, ShoprecError
from shoprec.exports.files import save
from shoprec.job import Job, JobContext, cli
from shoprec.pipeline import alone
from shoprec.places import absolute, local_path
from shoprec.training.storage import Folder
from shoprec.tuning.config import TuneConfig
from shoprec.tuning.days import fold
from shoprec.tuning.findings import found, page, settings_file, table
from shoprec.tuning.space import spaces
from shoprec.tuning.study import Study, look
from shoprec.tuning.trial import Fold, figure


def run(job: JobContext) -> None:
    """Make the days' tables, try, and write what was found, also where a trial ends it all."""
    with alone(job.config.env.files, f"{job.run_id}.tune"):
        _tune(job)


def _tune(job: JobContext) -> None:
    settings, told = job.settings, job.config
    space, place = spaces(settings, told), f"{job.files}/tuning/{job.run_id}"
    storage, folds, numbers = _storage(job, place), list[Fold](), itertools.count()
    Folder(f"{place}/trials").delete("")  # of a process that was ended

    def study(source: str) -> Study:
        def judge(tried: Config, day: int) -> float:
            # A folder of its own: MLflow holds on to what lay in an earlier one.
            folder = f"{place}/trials/{os.getpid()}-{next(numbers)}"
            return figure(job.lake, tried, source, folds[day], folder, settings.metric, settings.list)

        of = f"{job.run_id} {settings.metric} {settings.list} {settings.users}"
        return Study(source, space[source], told, judge, settings.folds, storage, job.seed, of)

    studies = {source: study(source) for source in space}
    with ExitStack() as kept:
        folds += [fold(job, number, space, kept) for number in range(1, settings.folds + 1)]
        try:
            look(studies, settings.minutes, settings.trials, job.progress)
        finally:
            _keep(job, studies, place)
    if lacking := [name for name, one in studies.items() if one.baseline is None]:
        raise ShoprecError(
            f"the settings as they are were not judged for {', '.join(lacking)}: {place}/trials.tsv, and what was said "
            "of each trial above, tell more; started again, the job tries them anew"
        )
    job.progress(f"wrote {place}/settings.yml and tuning.html: look at it, then run with --set @{place}/settings.yml")


def _keep(job: JobContext, studies: Mapping[str, Study], place: str) -> None:
    told, metric = job.config, job.settings.metric
    title = f"Tuning of {told.shop.name}, {job.as_of}"
    made = {
        "trials.tsv": table(studies),
        "tuning.html": page(title, metric, studies),
        "settings.yml": settings_file(told, found(told, studies)),
    }
    save(place, {name: text.encode() for name, text in made.items()})
    figures = {
        name: {"as_it_was": one.baseline.value, "best": one.best.value, "trials": len(one.ended)}
        for name, one in studies.items()
        if one.baseline
    }
    job.note(found=figures, place=place)
    for name, of in figures.items():
        job.progress(f"{name}: {metric} {of['as_it_was']:.4f} as it was, {of['best']:.4f} at best")


def _storage(job: JobContext, place: str) -> optuna.storages.BaseStorage:
    """:raises ConfigError: the database cannot be reached, or there is none and no local disk"""
    if url := job.settings.storage:
        try:
            return optuna.storages.RDBStorage(url)
        except (ImportError, SQLAlchemyError) as error:
            raise ConfigError(f"tune.storage={url}: {' '.join(str(error).split())}") from error
    # Absolute: of a relative path Optuna's lock is a link that leads nowhere, which it would wait for without end.
    folder = local_path(absolute(place))
    if folder is None:
        raise ConfigError(f"files is {job.files}, no local disk for the trials: set tune.storage to a database's URL")
    folder.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(folder / "trials.log")))


JOB = Job(name="tune", about=__doc__, run=run, settings=TuneConfig, reads=(INTERACTIONS,))

if __name__ == "__main__":
    cli(JOB)
