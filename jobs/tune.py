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
from pathlib import Path

import optuna
import yaml
from optuna.storages.journal import JournalFileBackend, JournalStorage
from sqlalchemy.exc import SQLAlchemyError

from shoprec.config import Config
from shoprec.contracts.gold import EMBEDDED, USER_INDEX
from shoprec.contracts.silver import INTERACTIONS
from shoprec.errors import ConfigError, ShoprecError
from shoprec.evaluation.truth import truth
from shoprec.exports.files import save
from shoprec.graph import JobEntry, Node, ancestors, only
from shoprec.hashes import taken
from shoprec.job import Job, JobContext, cli, load_job
from shoprec.pipeline import alone, run_part
from shoprec.places import absolute, local_path
from shoprec.resources import conf_text
from shoprec.reuse import reused
from shoprec.settings import nearest
from shoprec.training.storage import Folder
from shoprec.tuning.config import Dimension, Space, TuneConfig
from shoprec.tuning.findings import found, page, settings_file, table
from shoprec.tuning.study import Study, look
from shoprec.tuning.trial import Fold, figure, made_by


def run(job: JobContext) -> None:
    """Make the days' tables, try, and write what was found, also where a trial ends it all."""
    with alone(job.config.env.files, f"{job.run_id}.tune"):
        _tune(job)


def _tune(job: JobContext) -> None:
    settings, told = job.settings, job.config
    space, place = _space(settings, told), f"{job.files}/tuning/{job.run_id}"
    storage, folds, numbers = _storage(job, place), list[Fold](), itertools.count()
    Folder(f"{place}/trials").delete("")  # of a process that was ended

    def study(source: str) -> Study:
        def judge(tried: Config, fold: int) -> float:
            # A folder of its own: MLflow holds on to what lay in an earlier one.
            folder = f"{place}/trials/{os.getpid()}-{next(numbers)}"
            return figure(job.lake, tried, source, folds[fold], folder, settings.metric, settings.list)

        of = f"{job.run_id} {settings.metric} {settings.list} {settings.users}"
        return Study(source, space[source], told, judge, settings.folds, storage, job.seed, of)

    studies = {source: study(source) for source in space}
    with ExitStack() as kept:
        folds += [_fold(job, number, space, kept) for number in range(1, settings.folds + 1)]
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


def _space(settings: TuneConfig, told: Config) -> dict[str, Mapping[str, Dimension]]:
    """Of each source that is tuned, what is looked through.

    :raises ConfigError: the file is none, a source is not in it or not in candidates.sources, or a path leads elsewhere
    """
    name = settings.space or "conf/tuning.yml"
    try:
        text = Path(settings.space).read_text(encoding="utf-8") if settings.space else conf_text("tuning.yml")
        space = Space.model_validate(yaml.safe_load(text)).root
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"tune.space={name}: {' '.join(str(error).split())}") from error
    sources = told.jobs["candidates"].sources
    for source in settings.sources:
        for known, where in ((space, "the space"), (sources, "candidates.sources")):
            if source not in known:
                raise ConfigError(f"tune.sources: {source!r} is not in {where}; {nearest(source, known)}")
    # A list without what the user bought is empty, whatever the settings, where nothing else is proposed.
    empty = [name for name, source in sources.items() if settings.list == "discovery" and not source.new]
    if asked := [name for name in settings.sources if name in empty]:
        raise ConfigError(f"tune.sources: {asked[0]} proposes what users bought before alone: set tune.list=all")
    wanted = [name for name in settings.sources or sources if name in space and name not in empty]
    if not wanted:
        raise ConfigError(f"tune: of candidates.sources, the space holds none; it holds {', '.join(space)}")
    for source in wanted:
        own = tuple(f"{one}." for one in (made_by(source, sources[source]), f"candidates.sources.{source}") if one)
        if wrong := [path for path in space[source] if not path.startswith(own)]:
            raise ConfigError(f"tune.space={name}: {wrong[0]} changes nothing of {source}: name {' or '.join(own)}…")
    return {name: space[name] for name in wanted}


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


def _fold(job: JobContext, number: int, space: Mapping[str, Mapping[str, Dimension]], kept: ExitStack) -> Fold:
    """The tables of one day, by the jobs before those that make the sources.

    :raises ConfigError: nobody bought anything in the horizon after it
    """
    settings, told = job.settings, job.config
    day, until = (told.date_at(job.as_of, back) for back in (-number, 1 - number))
    run_id = f"{job.run_id}-{day}"
    run_part(_before(told, space), told, job.lake, day, run_id)
    users = job.lake.read(USER_INDEX, run_id=run_id, as_of=day).drop("run_id", "as_of")
    pairs = truth(job.read(INTERACTIONS), day, until)
    bought = pairs.where("relevant").select("user_id").distinct()
    judged = bought.join(users, on="user_id", how="left_semi").count()
    if not judged:
        raise ConfigError(f"tune: of the users known on {day}, none bought anything before {until}: fewer tune.folds?")
    some = taken(min(1.0, settings.users / judged), job.seed, "user_id")
    own = kept.enter_context(reused(users.join(bought.where(some), on="user_id", how="left_semi")))
    theirs = pairs.join(own.select("user_id"), on="user_id", how="left_semi")
    return Fold(day, run_id, own, kept.enter_context(reused(theirs)))


def _before(told: Config, space: Mapping[str, Mapping[str, Dimension]]) -> dict[str, JobEntry]:
    """The jobs of gold that come before those which trials run, each for one date; no model learns from another."""
    sources = told.jobs["candidates"].sources
    makers = {made_by(name, sources[name]) for name in space} - {None}
    first = {"user_index", "item_index"}
    before = {node.job for maker in makers for node in ancestors(told.graph.jobs, Node(maker))}
    wanted = {name for name in before | first if load_job(name).makes_gold and name not in EMBEDDED}
    entries = only(told.graph.jobs, wanted)
    return {name: entry.model_copy(update={"at": (0,)}) for name, entry in entries.items()}


JOB = Job(name="tune", about=__doc__, run=run, settings=TuneConfig, reads=(INTERACTIONS,))

if __name__ == "__main__":
    cli(JOB)
