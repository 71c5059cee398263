"""What every benchmark shares: a session like that of the local environment, ratios over repeats, and its file."""

import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from shoprec import config
from shoprec.session import open_session

OUT = Path("out/bench")


def session() -> SparkSession:
    """Spark as a local run has it, but for the limits of Java's compiler, which are set to the plans of our jobs."""
    plain = "spark.driver.extraJavaOptions=-XX:+UseParallelGC"
    return open_session(config.load("local", "simulated", (plain,), {}).env)[0]


def spread(values: Iterable[float]) -> dict[str, float]:
    """min, median, max of repeats."""
    known = sorted(values)
    return {"min": known[0], "median": statistics.median(known), "max": known[-1]}


def save(name: str, packages: Iterable[str], figures: Mapping[str, Any]) -> None:
    """Write ``out/bench/<name>.json`` with what it ran on."""
    where = {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in packages},
    }
    OUT.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**where, **figures}, indent=2, default=lambda number: round(float(number), 4))
    (OUT / f"{name}.json").write_text(text + "\n")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()
