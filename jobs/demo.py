"""demo: the whole suite on a real grocer's year: makes, publishes and exports a run, judges it two weeks later.

Everything that it makes lies in one folder (out/demo); a demo that was interrupted goes on, a finished one starts anew.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from shoprec.contracts import TABLES, Table
from shoprec.contracts.gold_runs import JOB_RUNS, METRICS
from shoprec.evaluation.summary import summary, summary_table
from shoprec.job import Job, JobContext, day, exit_codes, load_config, opened, say
from shoprec.lake import Lake
from shoprec.pipeline import judge, run_pipeline
from shoprec.usage import measured

#: The as-of date of the demo; its lists are judged on the fourteen days that follow.
AS_OF = date(2017, 12, 1)


def run(job: JobContext) -> None:
    """Make, publish, export and judge the run."""
    run_pipeline(job.config, job.lake, job.as_of, job.run_id)
    judge(job.config, job.lake, job.as_of, job.run_id)


JOB = Job(name="demo", about=__doc__, run=run)


def form() -> argparse.ArgumentParser:
    """The demo's own arguments."""
    made = argparse.ArgumentParser(
        prog="demo.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--as-of", type=day, default=AS_OF, metavar="DATE", help="yyyy-mm-dd (default: %(default)s)")
    made.add_argument(
        "--shop", default="completejourney", help="name in conf/shops, or a YAML file (default: %(default)s)"
    )
    made.add_argument("--env", default="local", help="name in conf/env, or a YAML file (default: %(default)s)")
    made.add_argument(
        "--out",
        type=Path,
        default=Path("out/demo"),
        metavar="FOLDER",
        help="where everything goes (default: %(default)s)",
    )
    made.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings", help="as for every job"
    )
    return made


def main(argv: Sequence[str] | None = None) -> None:
    """The demo's own main: its settings put everything into one folder."""
    args = form().parse_args(argv)
    with exit_codes():
        demo(args.shop, args.env, args.as_of, args.out.resolve(), args.settings)


def demo(shop: str, env: str, as_of: date, out: Path, settings: Sequence[str]) -> None:
    """Run, judge and sum up; ``summary.json`` is written last and marks a finished demo."""
    if (out / "summary.json").exists():
        remove_finished(out)
    places = [f"tables={out}/lake", f"files={out}/files", f"export.out={out}/export", f"report.out={out}/report.html"]
    told = load_config(env, shop, [*places, *settings])
    with measured() as usage, opened(told, (JOB_RUNS,)) as lake:
        run_id = told.run_id(as_of)
        run_pipeline(told, lake, as_of, run_id)
        judge(told, lake, as_of, run_id)
        rows = {f"{t.layer}.{t.name}": lake.read(t).count() for t in TABLES.values()}
        metrics = _rows(lake, METRICS, run_id=run_id, job="metrics")
        jobs = _rows(lake, JOB_RUNS, run_id=run_id)
    total = {"seconds": usage.seconds, "cpu_seconds": usage.cpu_seconds, "peak_rss_gib": usage.peak_rss_gib}
    figures = {"run_id": run_id, "as_of": str(as_of), **total, **summary(metrics, jobs, rows)}
    say("\n" + summary_table(figures))
    say(
        f"\nlook at  {out}/report.html   quality per source, data, time, training, examples with reasons"
        f"\n         {out}/export/       one line a user, Parquet and JSON lines, with a manifest"
        f"\n         {out}/lake/         every table, Delta"
    )
    part = out / "summary.json.part"
    part.write_text(json.dumps(figures, indent=2, default=str))
    part.rename(out / "summary.json")


def remove_finished(out: Path) -> None:
    """Remove a finished demo, and nothing else that may lie in its folder.

    The mark of a finished one goes last: interrupted, the next start removes the rest and takes no half for a run.
    """
    say(f"removing the finished demo in {out}")
    for made in ("lake", "files", "export"):
        if (out / made).exists():
            shutil.rmtree(out / made)
    (out / "report.html").unlink(missing_ok=True)
    (out / "summary.json").unlink()


def _rows(lake: Lake, table: Table, **where: str) -> list[dict[str, Any]]:
    return [row.asDict() for row in lake.read(table, **where).collect()]


if __name__ == "__main__":
    main()
