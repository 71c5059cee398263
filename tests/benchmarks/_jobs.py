"""Jobs of the pipeline, one after another, on a simulated shop of some size: what each of them took.

As a program it runs them, in a process of its own, so that memory is that of one size alone:
``python -m tests.benchmarks._jobs FOLDER [JOB …]`` (no JOB: the whole pipeline).
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from shoprec.contracts.gold_runs import JOB_RUNS
from shoprec.graph import JobEntry
from shoprec.job import load_config, opened
from shoprec.pipeline import run_part

#: Late in the simulated shop's 120 days.
AS_OF = date(2020, 4, 13)
#: Events at size 1, and how many a user and an item have on average.
EVENTS, BY_USER, BY_ITEM = 1_000_000, 50, 500

Figures = dict[str, dict[str, float]]


def at_size(size: float, jobs: Sequence[str] = ()) -> Figures:
    """What each job took on a shop of ``size`` million events, all its dates together.

    :return: by job: seconds, cpu_seconds, peak_rss_gib, shuffled_gib
    """
    events = round(EVENTS * size)
    shop = {"SHOPREC_USERS": str(events // BY_USER), "SHOPREC_ITEMS": str(events // BY_ITEM), "SHOPREC_DAYS": "120"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks._jobs", folder, *jobs]
        subprocess.run(command, env={**os.environ, **shop}, check=True)
        return json.loads((Path(folder) / "figures.json").read_text())


def growth(found: Mapping[float, Figures]) -> dict[str, dict[str, float]]:
    """By job the exponent of its CPU-seconds over the events: of all sizes by least squares, and of the last step."""
    sizes = sorted(found)
    exponents = {}
    for job in found[sizes[0]]:
        logs = np.log([[size, max(found[size][job]["cpu_seconds"], 0.01)] for size in sizes])
        step = logs[-1] - logs[-2]
        exponents[job] = {"all": np.polyfit(*logs.T, 1)[0], "last": step[1] / step[0]}
    return exponents


def told(found: Mapping[float, Figures], exponents: Mapping[str, Mapping[str, float]]) -> str:
    """A line a job: CPU-seconds at each size, and the exponents."""
    sizes = sorted(found)
    lines = [f"{'CPU-seconds':24}" + "".join(f"{size:>9g}x" for size in sizes) + f"{'exponent':>10}{'last':>7}"]
    for job, exponent in exponents.items():
        spent = "".join(f"{found[size][job]['cpu_seconds']:10.1f}" for size in sizes)
        lines.append(f"{job:24}{spent}{exponent['all']:10.2f}{exponent['last']:7.2f}")
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
    with opened(config) as lake:
        run_id = config.run_id(AS_OF)
        run_part(part, config, lake, AS_OF, run_id)
        done = [row.asDict() for row in lake.read(JOB_RUNS, run_id=run_id).collect()]
    shuffled = _shuffled(log)
    figures = {
        job: {
            "seconds": sum(row["seconds"] for row in done if row["job"] == job),
            "cpu_seconds": sum(row["cpu_seconds"] for row in done if row["job"] == job),
            "peak_rss_gib": max(row["peak_rss_gib"] for row in done if row["job"] == job),
            "shuffled_gib": shuffled[job],
        }
        for job in part
        if any(row["job"] == job for row in done)
    }
    (folder / "figures.json").write_text(json.dumps(figures))


def _with_all_before(graph: Mapping[str, JobEntry], jobs: Iterable[str]) -> dict[str, JobEntry]:
    wanted, todo = set(), list(jobs)
    while todo:
        job = todo.pop().partition("@")[0]
        if job not in wanted:
            wanted.add(job)
            todo.extend(graph[job].after)
    return {job: entry for job, entry in graph.items() if job in wanted}


def _shuffled(log: Path) -> defaultdict[str, float]:
    """GiB written for shuffles by each job, by the label that the pipeline gives its threads."""
    job_of: dict[int, str] = {}
    total: defaultdict[str, float] = defaultdict(float)
    for file in log.iterdir():
        with file.open() as lines:
            for line in lines:
                # Most lines are of no interest, and some are megabytes long.
                if line.startswith('{"Event":"SparkListenerJobStart"'):
                    event = json.loads(line)
                    label = (event.get("Properties") or {}).get("spark.job.description", "")
                    job_of |= dict.fromkeys(event["Stage IDs"], label.partition(" for ")[0])
                elif line.startswith('{"Event":"SparkListenerTaskEnd"'):
                    event: dict[str, Any] = json.loads(line)
                    written = (event.get("Task Metrics") or {}).get("Shuffle Write Metrics", {})
                    job = job_of.get(event["Stage ID"], "")
                    total[job] += written.get("Shuffle Bytes Written", 0) / 2**30
    return total


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
