"""pipeline: every job of conf/pipeline.yml in one session: makes, publishes and exports one run.

Started again with the same arguments it goes on where it ended; finished jobs are not repeated.
"""

from collections.abc import Sequence

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
        with opened(told) as lake:
            run_id = args.run_id or told.run_id(args.as_of)
            run_pipeline(told, lake, args.as_of, run_id)
        judged_at = told.date_at(args.as_of, 1)
        # In a run of their own: the one that is made for that day takes in what has come by then.
        own = f" --run-id judging-{judged_at}"
        say(
            f"run {run_id} is published and exported; when all of {told.horizon} days is known, take that in and judge "
            "it with the same --shop, --env and --set:"
            + "".join(
                f"\n  jobs/{job}.py --as-of {judged_at}{more}"
                for job, more in (("ingest", own), ("interactions", own), ("metrics", ""), ("report", ""))
            )
        )


if __name__ == "__main__":
    main()
