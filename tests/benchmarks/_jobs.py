"""Jobs of the pipeline, one after another, on a simulated shop of some size: what each of them took.

As a program it runs them, in a process of its own, so that memory is that of one size alone:
``python -m tests.benchmarks._jobs FOLDER [JOB …]`` (no JOB: the whole pipeline).
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType

from pyspark.sql import Row
from pyspark.sql import functions as F
from scipy import optimize

from shoprec.contracts.gold_runs import JOB_RUNS
from shoprec.contracts.silver import INTERACTIONS
from shoprec.graph import JobEntry
from shoprec.job import load_config, opened
from shoprec.pipeline import run_part
from tests.benchmarks._figures import save

#: Late in the simulated shop's 120 days.
AS_OF = date(2020, 4, 13)
#: Events at size 1, four fifths of them before that day, and how many a user and an item have on average.
EVENTS, BY_USER, BY_ITEM = 1_250_000, 250, 500

#: One user with a fifth of all events, one item with half of them.
SKEW = {"SHOPREC_HEAVY_USER": "0.2", "SHOPREC_COMMON_ITEM": "0.5"}
#: Seconds of a task that are worth a look.
LONG_TASK_S = 1.0

_PACKAGES = ("pyspark", "delta-spark", "torch", "xgboost")

Figures = dict[str, dict[str, float]]


def compare(name: str, about: str, usual: Sequence[float], jobs: Sequence[str] = (), skew: bool = False) -> None:
    """A benchmark's main: run the sizes that the command line asks for, write what is known after each, and show it.

    :param about: the benchmark's docstring
    :param jobs: with all that comes before them; none: the whole pipeline
    :param skew: run the largest size once more, with one user and one item that have a good part of all events
    """
    asked = argparse.ArgumentParser(prog=name, description=about.partition("\n")[0])
    asked.add_argument("--sizes", type=float, nargs="+", default=usual, help="times 1.25 million events: %(default)s")
    sizes = sorted(set(asked.parse_args().sizes))
    if len(sizes) < 3:
        asked.error("growth shows at three sizes or more")
    found: dict[float, Figures] = {}
    for size in sizes:
        found[size] = _at_size(size, jobs)
        save(name, _PACKAGES, {"sizes": found})
    figures = {"sizes": found, "growth": growth(found)}
    print(_told(found, figures["growth"]))
    save(name, _PACKAGES, figures)
    if skew:
        figures["skewed"] = _at_size(sizes[-1], jobs, SKEW)
        for job, of in figures["skewed"].items():
            spent, plain = of["cpu_seconds"], found[sizes[-1]][job]["cpu_seconds"]
            print(f"{job:24} skewed: {spent / plain:.2f} times the CPU, slowest task {of['slowest_task']:.1f} medians")
        save(name, _PACKAGES, figures)


def _at_size(size: float, jobs: Sequence[str], more: Mapping[str, str] = MappingProxyType({})) -> Figures:
    """What each job took on a shop of ``size`` times ``EVENTS`` events, all its dates together.

    :param more: variables of the shop
    :return: by job: seconds, cpu_seconds, peak_rss_gib, shuffled_gib, longest_task_s and slowest_task (see
        ``_told_by_spark``), dates, rows_a_second (events known at the date)
    """
    events = round(EVENTS * size)
    shop = {
        "SHOPREC_USERS": str(events // BY_USER), "SHOPREC_EVENTS": str(BY_USER),
        "SHOPREC_ITEMS": str(events // BY_ITEM), "SHOPREC_DAYS": "120", **more,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks._jobs", folder, *jobs]
        subprocess.run(command, env={**os.environ, **shop}, check=True)
        return json.loads((Path(folder) / "figures.json").read_text())


def growth(found: Mapping[float, Figures]) -> dict[str, dict[str, float]]:
    """How each job's CPU-seconds grow with the events, by its three largest sizes.

    :return: by job ``exponent``, the p of b n^p, by least squares of logarithms; ``beyond_start``, the p of a + b n^p
        through the three, so that what a job takes whatever its size does not hide the rest, though what noise there is
        in the steps counts the more (nan: more events took less); ``a_million``, CPU-seconds for each million added in
        the last step
    """
    sizes = sorted(found)[-3:]
    grown = {}
    for job in found[sizes[0]]:
        spent = [found[size][job]["cpu_seconds"] for size in sizes]
        grown[job] = {
            "exponent": statistics.linear_regression(*([math.log(x) for x in xs] for xs in (sizes, spent))).slope,
            "beyond_start": _beyond_start(sizes, spent),
            "a_million": (spent[2] - spent[1]) / (sizes[2] - sizes[1]),
        }
    return grown


def _beyond_start(sizes: Sequence[float], spent: Sequence[float]) -> float:
    first, last = spent[1] - spent[0], spent[2] - spent[1]
    if first <= 0 or last <= 0:
        return math.nan

    def off(p: float) -> float:
        one, two, three = (size**p for size in sizes)
        return (three - two) / (two - one) - last / first

    low, high = 0.01, 5.0
    return float(optimize.brentq(off, low, high)) if off(low) * off(high) < 0 else math.nan


def _told(found: Mapping[float, Figures], grown: Mapping[str, Mapping[str, float]]) -> str:
    """A line a job: CPU-seconds at each size, and how they grow."""
    sizes = sorted(found)
    lines = [
        f"{'CPU-seconds':24}"
        + "".join(f"{size:>9g}x" for size in sizes)
        + f"{'exponent':>10}{'beyond start':>14}{'a million':>11}"
    ]
    for job, of in grown.items():
        spent = "".join(f"{found[size][job]['cpu_seconds']:10.1f}" for size in sizes)
        lines.append(f"{job:24}{spent}{of['exponent']:10.2f}{of['beyond_start']:14.2f}{of['a_million']:11.1f}")
    return "\n".join(lines)


def main(folder: Path, jobs: Sequence[str]) -> None:
    """Run the jobs and write ``figures.json``."""
    log = folder / "events"
    log.mkdir()
    config = load_config("local", "simulated", [
        f"tables={folder}/lake", f"files={folder}/files", f"export.out={folder}/export",
        "parallel_jobs=1", "spark.eventLog.enabled=true", f"spark.eventLog.dir=file:{log}",
        "spark.eventLog.compress=false", "spark.eventLog.rolling.enabled=false",
    ])  # fmt: skip
    part = _with_all_before(config.graph.jobs, jobs or config.graph.jobs)
    with opened(config, (JOB_RUNS,)) as lake:
        run_id = config.run_id(AS_OF)
        run_part(part, config, lake, AS_OF, run_id)
        done = lake.read(JOB_RUNS, run_id=run_id).collect()
        known = lake.read(INTERACTIONS).where(F.col("event_at") < F.lit(AS_OF)).count()
    figures = _by_job(done, _told_by_spark(log), known)
    (folder / "figures.json").write_text(json.dumps(figures))


def _by_job(done: Iterable[Row], told: Mapping[str, Mapping[str, float]], known: int) -> Figures:
    figures: Figures = {}
    for job in sorted({row["job"] for row in done}):
        dates = [row for row in done if row["job"] == job]
        seconds = sum(row["seconds"] for row in dates)
        figures[job] = {
            "seconds": seconds,
            "cpu_seconds": sum(row["cpu_seconds"] for row in dates),
            "peak_rss_gib": max(row["peak_rss_gib"] for row in dates),
            **told.get(job, {"shuffled_gib": 0.0, "longest_task_s": 0.0, "slowest_task": 1.0}),
            "dates": len(dates),
            "rows_a_second": known * len(dates) / seconds,
        }
    return figures


def _with_all_before(graph: Mapping[str, JobEntry], jobs: Iterable[str]) -> dict[str, JobEntry]:
    wanted, todo = set(), list(jobs)
    while todo:
        job = todo.pop().partition("@")[0]
        if job not in wanted:
            wanted.add(job)
            todo.extend(graph[job].after)
    return {job: entry for job, entry in graph.items() if job in wanted}


def _told_by_spark(log: Path) -> dict[str, dict[str, float]]:
    """What Spark's event log says of each job, by the pool that the pipeline gives its threads (Delta alters labels).

    :return: by job ``shuffled_gib``, written for shuffles; ``longest_task_s``; and ``slowest_task``, in medians of its
        stage: the worst of stages that a task of ``LONG_TASK_S`` or more holds up (1: of none, or it is alone there)
    """
    job_of: dict[int, str] = {}
    shuffled: dict[str, float] = defaultdict(float)
    seconds: dict[int, list[float]] = defaultdict(list)
    for file in log.iterdir():
        with file.open() as lines:
            for line in lines:
                # Most lines are of no interest, and some are megabytes long.
                if line.startswith('{"Event":"SparkListenerJobStart"'):
                    event = json.loads(line)
                    pool = (event.get("Properties") or {}).get("spark.scheduler.pool", "")
                    job_of |= dict.fromkeys(event["Stage IDs"], pool.partition(" for ")[0])
                elif line.startswith('{"Event":"SparkListenerTaskEnd"'):
                    event = json.loads(line)
                    written = (event.get("Task Metrics") or {}).get("Shuffle Write Metrics", {})
                    shuffled[job_of.get(event["Stage ID"], "")] += written.get("Shuffle Bytes Written", 0) / 2**30
                    info = event["Task Info"]
                    seconds[event["Stage ID"]].append((info["Finish Time"] - info["Launch Time"]) / 1000)
    told = {job: {"shuffled_gib": gib, "longest_task_s": 0.0, "slowest_task": 1.0} for job, gib in shuffled.items()}
    for stage, tasks in seconds.items():
        of, longest = told[job_of.get(stage, "")], max(tasks)
        of["longest_task_s"] = max(of["longest_task_s"], longest)
        if longest >= LONG_TASK_S:
            of["slowest_task"] = max(of["slowest_task"], longest / max(statistics.median(tasks), 0.01))
    return told


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
