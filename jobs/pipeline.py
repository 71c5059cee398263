"""pipeline: every job of conf/pipeline.yml in one session: makes, publishes and exports one run.

Started again with the same arguments it goes on where it ended; finished jobs are not repeated.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from shoprec.contracts.gold_runs import JOB_RUNS
from shoprec.job import Job, JobContext, exit_codes, load_config, opened, parser, say
from shoprec.pipeline import run_pipeline


def run(job: JobContext) -> None:
    """Make, publish and export the run."""
    run_pipeline(job.config, job.lake, job.as_of, job.run_id)


JOB = Job(name="pipeline", about=__doc__, run=run)


def main(argv: Sequence[str] | None = None) -> None:
    """The pipeline's own main: its jobs are recorded one by one, not as one."""
    args = parser(JOB).parse_args(argv)
    with exit_codes():
        told = load_config(args.env, args.shop, args.settings)
        with opened(told, (JOB_RUNS,)) as lake:
            run_id = args.run_id or told.run_id(args.as_of)
            run_pipeline(told, lake, args.as_of, run_id)
        say(f"run {run_id} is published and exported; once {told.horizon} days more are known, judge it:")
        for command in judging(args, told.date_at(args.as_of, 1)):
            say(f"  {command}")


def judging(args: argparse.Namespace, at: date) -> list[str]:
    """The commands that take in and judge, on the day ``at``, what followed the run that ``args`` asked for."""
    places = ["--env", args.env, "--shop", args.shop, *(word for one in args.settings for word in ("--set", one))]
    # In a run of their own: the one that is made for that day takes in what has come by then.
    own = ["--run-id", f"judging-{at}"]
    jobs = (("ingest", own), ("interactions", own), ("metrics", []), ("report", []))
    return [shlex.join([*_started(job), "--as-of", str(at), *places, *more]) for job, more in jobs]


def _started(job: str) -> list[str]:
    """How ``job`` is started by hand, as this pipeline was: beside its script, or by the installed command."""
    script = Path(sys.argv[0]).with_name(f"{job}.py")
    return [sys.executable, str(script)] if script.exists() else ["shoprec", job]


if __name__ == "__main__":
    main()
