"""The days that trials are judged on: their tables, made by the jobs that a run makes them with, and what followed."""

from collections.abc import Iterable
from contextlib import ExitStack

from shoprec.config import Config
from shoprec.context import JobContext
from shoprec.contracts.gold import EMBEDDED, USER_INDEX
from shoprec.contracts.silver import INTERACTIONS
from shoprec.errors import ConfigError
from shoprec.evaluation.truth import truth
from shoprec.graph import JobEntry, Node, ancestors, only
from shoprec.hashes import taken
from shoprec.job import load_job
from shoprec.pipeline import run_part
from shoprec.reuse import reused
from shoprec.tuning.trial import Fold, made_by


def fold(job: JobContext, number: int, tuned: Iterable[str], kept: ExitStack) -> Fold:
    """The tables of one day, by the jobs before those that make the sources.

    :param number: how many horizons it lies before the as-of date
    :param tuned: names of the sources
    :param kept: closed when trials are over
    :raises ConfigError: nobody bought anything in the horizon after it
    """
    settings, told = job.settings, job.config
    day, until = (told.date_at(job.as_of, back) for back in (-number, 1 - number))
    run_id = f"{job.run_id}-{day}"
    run_part(_before(told, tuned), told, job.lake, day, run_id)
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


def _before(told: Config, tuned: Iterable[str]) -> dict[str, JobEntry]:
    """The jobs of gold that come before those which trials run, each for one date; no model learns from another."""
    sources = told.jobs["candidates"].sources
    makers = {made_by(name, sources[name]) for name in tuned} - {None}
    first = {"user_index", "item_index"}
    before = {node.job for maker in makers for node in ancestors(told.graph.jobs, Node(maker))}
    wanted = {name for name in before | first if load_job(name).makes_gold and name not in EMBEDDED}
    entries = only(told.graph.jobs, wanted)
    return {name: entry.model_copy(update={"at": (0,)}) for name, entry in entries.items()}
