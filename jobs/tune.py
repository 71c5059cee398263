"""tune: settings of the sources of candidates, found by trials on days before the as-of date.

A trial makes one source with some settings, by the jobs that a run makes it with, as of a day on which it is known what
followed, and has the figure of its lists. Days lie a horizon apart, the latest one horizon before the as-of date. The
trials lie in a database: started again, the job goes on with them.

Below files/tuning/<run>: settings.yml (for --set @FILE, or the shop's settings), trials.tsv, and tuning.html."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import optuna
import yaml
from optuna.storages.journal import JournalFileBackend, JournalStorage

from shoprec.config import Config
from shoprec.contracts.gold import USER_INDEX
from shoprec.contracts.silver import INTERACTIONS
from shoprec.errors import ConfigError
from shoprec.evaluation.truth import truth
from shoprec.exports.files import save
from shoprec.graph import JobEntry, Node, ancestors, only
from shoprec.hashes import taken
from shoprec.job import Job, JobContext, cli, load_job
from shoprec.pipeline import run_part
from shoprec.places import local_path
from shoprec.resources import conf_text
from shoprec.reuse import reused
from shoprec.settings import nearest
from shoprec.tuning.config import Dimension, Space, TuneConfig
from shoprec.tuning.findings import found, page, settings_file, table
from shoprec.tuning.study import Study, look
from shoprec.tuning.trial import Fold, figure, made_by


def run(job: JobContext) -> None:
    """Make the days' tables, try, and write what was found."""
    settings, told = job.settings, job.config
    space = _space(settings, told)
    place = f"{job.files}/tuning/{job.run_id}"
    with ExitStack() as kept:
        folds = [_fold(job, number, space, kept) for number in range(1, settings.folds + 1)]

        def study(source: str) -> Study:
            def judge(tried: Config, fold: int) -> float:
                wanted = (settings.metric, settings.list)
                return figure(job.lake, tried, source, folds[fold], f"{place}/trial", *wanted)

            return Study(source, space[source], told, judge, settings.folds, storage, job.seed)

        storage = _storage(job, place)
        studies = {source: study(source) for source in space}
        look(studies, settings.minutes, settings.trials, job.progress)
    after = found(told, studies)
    save(
        place,
        {
            "trials.tsv": table(studies).encode(),
            "tuning.html": page(f"Tuning of {told.shop.name}, {job.as_of}", settings.metric, studies).encode(),
            "settings.yml": settings_file(told, after).encode(),
        },
    )
    figures = {name: {"as_it_was": one.judged[0].value, "best": one.best.value, "trials": len(one.ended)}
               for name, one in studies.items() if one.judged}  # fmt: skip
    job.note(found=figures, place=place)
    for name, told_of in figures.items():
        job.progress(f"{name}: {settings.metric} {told_of['as_it_was']:.4f} as it was, {told_of['best']:.4f} at best")
    job.progress(f"wrote {place}/settings.yml and tuning.html: look at it, then run with --set @{place}/settings.yml")


def _space(settings: TuneConfig, told: Config) -> Mapping[str, Mapping[str, Dimension]]:
    """Of each source that is tuned, what is looked through.

    :raises ConfigError: the file is none, or a source is not in it, or not in candidates.sources
    """
    try:
        text = Path(settings.space).read_text(encoding="utf-8") if settings.space else conf_text("tuning.yml")
        space = Space.model_validate(yaml.safe_load(text)).root
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(
            f"tune.space={settings.space or 'conf/tuning.yml'}: {' '.join(str(error).split())}"
        ) from error
    drawn_on = told.jobs["candidates"].sources
    for source in settings.sources:
        for known, where in ((space, "the space"), (drawn_on, "candidates.sources")):
            if source not in known:
                raise ConfigError(f"tune.sources: {source!r} is not in {where}; {nearest(source, known)}")
    able = [name for name in drawn_on if name in space]
    if not able:
        raise ConfigError(f"tune: of candidates.sources, the space holds none; it holds {', '.join(space)}")
    return {name: space[name] for name in settings.sources or able}


def _storage(job: JobContext, place: str) -> optuna.storages.BaseStorage:
    if job.settings.storage:
        return optuna.storages.RDBStorage(job.settings.storage)
    folder = local_path(place)
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
    pairs = kept.enter_context(reused(truth(job.read_all(INTERACTIONS), day, until)))
    bought = pairs.where("relevant").select("user_id").distinct()
    users = job.lake.read(USER_INDEX, run_id=run_id, as_of=day).drop("run_id", "as_of")
    judged = bought.join(users, on="user_id", how="left_semi").count()
    if not judged:
        raise ConfigError(f"tune: of the users known on {day}, none bought anything before {until}: fewer tune.folds?")
    some = taken(min(1.0, settings.users / judged), job.seed, "user_id")
    own = kept.enter_context(reused(users.join(bought.where(some), on="user_id", how="left_semi")))
    return Fold(day, run_id, own, pairs.join(own.select("user_id"), on="user_id", how="left_semi"))


def _before(told: Config, space: Mapping[str, Mapping[str, Dimension]]) -> dict[str, JobEntry]:
    """The jobs of gold that come before those which trials run, each for one date."""
    sources = told.jobs["candidates"].sources
    makers = {made_by(name, sources[name]) for name in space} - {None}
    first = {"user_index", "item_index"}
    before = {node.job for maker in makers for node in ancestors(told.graph.jobs, Node(maker))}
    wanted = {name for name in before | first if load_job(name).makes_gold}
    entries = only(told.graph.jobs, wanted)
    return {name: entry.model_copy(update={"at": (0,)}) for name, entry in entries.items()}


JOB = Job(name="tune", about=__doc__, run=run, settings=TuneConfig, reads=(INTERACTIONS,))

if __name__ == "__main__":
    cli(JOB)
