"""What every job's main shares: arguments, settings, session, exit codes."""

import argparse
import json
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, NoReturn

from pyspark.sql import SparkSession

from shoprec import config, resources
from shoprec.context import Job, JobContext, say
from shoprec.contracts import Table
from shoprec.contracts.gold_runs import JOB_RUNS
from shoprec.errors import ConfigError, ShoprecError
from shoprec.lake import Lake
from shoprec.records import perform
from shoprec.runs import latest_run
from shoprec.session import open_session
from shoprec.settings import Settings

__all__ = ["Job", "JobContext", "cli", "console", "opened", "run", "say"]


def load_job(name: str) -> Job:
    """The job called ``name``.

    :raises ConfigError: there is no such job; the message names the nearest
    """
    return resources.job_module(name).JOB


def load_config(env: str, shop: str, settings: Sequence[str]) -> config.Config:
    """What a run is told, checked against the settings of every job."""
    classes = {name: job.settings for name in resources.job_names() if (job := load_job(name)).settings is not Settings}
    return config.load(env, shop, settings, classes)


@contextmanager
def opened(told: config.Config, tables: Iterable[Table]) -> Iterator[Lake]:
    """The lake in a session; a session that was started for it is stopped at the end.

    :param tables: those that are made where they are missing, beside ``gold.runs``
    """
    if SparkSession.getActiveSession() is None:
        say("starting Spark …")
    spark, started = open_session(told.env)
    try:
        lake = Lake(spark, told.env.tables)
        lake.claim(told.shop.name)
        lake.ensure(dict.fromkeys(tables))
        yield lake
    finally:
        if started:
            spark.stop()


def _refuse_without_inputs(job: Job, lake: Lake, run_id: str) -> None:
    for table in job.reads:
        if table.of_a_run and not table.may_be_empty and lake.read(table, run_id=run_id).isEmpty():
            raise ConfigError(
                f"{job.name} reads {table.name}, of which run {run_id} has no rows — run the jobs before it with the "
                "same --as-of and --set, or name the run that made them with --run-id; settings and code name a run"
            )


def run(
    job: Job | str,
    as_of: date | str,
    *,
    at: int = 0,
    env: str = "local",
    shop: str = "completejourney",
    run_id: str | None = None,
    settings: Sequence[str] = (),
) -> JobContext:
    """Run one job, from a notebook or a test: the same as its script.

    :param as_of: the run's as-of date
    :param at: horizons from there at which the job works, as in conf/pipeline.yml
    :param settings: ``key=value``, as for --set
    :raises ShoprecError: with what went wrong, where, and what to do
    """
    job = load_job(job) if isinstance(job, str) else job
    run_day = date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    told = load_config(env, shop, settings)
    with opened(told, (*job.reads, *job.writes, JOB_RUNS)) as lake:
        name = run_id or _default_run(job, told, lake, run_day)
        day = told.date_at(run_day, at)
        say(f"{job.name} --as-of {day} of run {name}")
        _refuse_without_inputs(job, lake, name)
        context = perform(job, told, lake, run_day, name, at)
        for one in context.written:
            say(f"         wrote {one.rows:,} rows to {one.table} (version {one.version})")
        return context


def _default_run(job: Job, told: config.Config, lake: Lake, as_of: date) -> str:
    if not job.run_horizons:
        return told.run_id(as_of)
    made_for = told.date_at(as_of, -job.run_horizons)
    published = latest_run(lake, made_for)
    if published is None:
        raise ConfigError(
            f"no run for {made_for} has been published: {job.name} --as-of {as_of} judges lists made {told.horizon} "
            f"days earlier — run jobs/pipeline.py --as-of {made_for} first, or name the run with --run-id"
        )
    return published["run_id"]


def day(text: str) -> date:
    """A date of the command line."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date yyyy-mm-dd") from error


def parser(job: Job) -> argparse.ArgumentParser:
    """The arguments that every job takes; --help says what the job reads and writes, and its settings."""
    tables = [
        f"  {word:<7}{', '.join(f'{t.layer}.{t.name}' for t in some)}"
        for word, some in (("reads", job.reads), ("writes", job.writes))
        if some
    ]
    codes = "exit codes: 0 done, 2 bad arguments or configuration, 3 a contract was broken, 1 anything else"
    form = argparse.ArgumentParser(
        prog=f"{job.name}.py",
        description=job.about.strip() + ("\n\n" + "\n".join(tables) if tables else ""),
        epilog=_settings_help(job) + codes,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    form.add_argument(
        "--as-of",
        type=day,
        required=True,
        metavar="DATE",
        help="yyyy-mm-dd: the job sees what was known before",
    )
    form.add_argument("--env", default="local", help="name in conf/env, or a YAML file (default: %(default)s)")
    form.add_argument(
        "--shop", default="completejourney", help="name in conf/shops, or a YAML file (default: %(default)s)"
    )
    form.add_argument("--run-id", help="the run to work for (default: named by date, shop, settings and code)")
    form.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="tables, files, horizon, seed, spark.… or <job>.<setting>, or @FILE: YAML of {job: {setting: value}}; may "
        "be repeated",
    )
    return form


def _settings_help(job: Job) -> str:
    """Each setting with the value that it has unless told, and what it means."""
    fields = job.settings.model_fields
    if not fields:
        return ""
    usual = job.settings(**config.load_graph().entry(job.name).settings).model_dump(mode="json")
    lines = ["settings, with their values where neither the shop's YAML nor --set says another:"]
    for name, field in fields.items():
        lines.append(f"  {job.name}.{name}={_shown(usual[name])}")
        lines += textwrap.wrap(field.description or "", 96, initial_indent="      ", subsequent_indent="      ")
    return "\n".join([*lines, "", ""])


def _shown(value: Any) -> str:
    """A setting's value as --set takes it; of values that are mappings themselves, their names alone."""
    if isinstance(value, dict) and not any(isinstance(one, dict) for one in value.values()):
        return "{" + ", ".join(f"{name}: {json.dumps(one)}" for name, one in value.items()) + "}"
    return ", ".join(map(str, value)) if isinstance(value, list | dict) else json.dumps(value)


def cli(job: Job, argv: Sequence[str] | None = None) -> None:
    """A job's main: arguments, run, exit code."""
    form = parser(job)
    at = "work N horizons from --as-of, for the same run: -1 for what the ranker learns on (default: %(default)s)"
    form.add_argument("--at", type=int, default=0, metavar="N", help=at)
    told = form.parse_args(argv)
    with exit_codes():
        run(job, told.as_of, at=told.at, env=told.env, shop=told.shop, run_id=told.run_id, settings=told.settings)


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn an error into a message and the exit code that the design gives it."""
    try:
        yield
    except ShoprecError as error:
        say_error(f"{type(error).__name__}: {error}")
        _leave(error.exit_code)
    except Exception:  # noqa: BLE001 - whatever it is, the caller gets the exit code that the design gives it
        traceback.print_exc()
        _leave(1)


def say_error(text: str) -> None:
    """One line on standard error."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _leave(code: int) -> NoReturn:
    sys.exit(code)


def console() -> None:
    """``shoprec <job> …``: any job by its name."""
    names = resources.job_names()
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        say(f"usage: shoprec JOB …\njobs: {', '.join(names)}\n'shoprec JOB --help' says what a job reads and writes")
        sys.exit(0 if len(sys.argv) > 1 else 2)
    with exit_codes():
        main = resources.job_module(sys.argv[1])
        cli_of(main)(sys.argv[2:])


def cli_of(module: Any) -> Callable[[Sequence[str]], None]:
    """The main of a job's module: its own where it has one (pipeline, demo), else the shared one."""
    return getattr(module, "main", None) or (lambda argv: cli(module.JOB, argv))
