"""One whole run, published and judged, on a small simulated shop: made once, shared by every test that looks at one."""

import functools
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.light_spark import JVM, PLAIN

ROOT = Path(__file__).parents[1]

#: As-of date of the run: fourteen weeks into the simulated shop's seventeen.
AS_OF = date(2020, 4, 13)

#: The size of the shop, which its YAML takes from the environment.
SHOP = {"SHOPREC_USERS": "300", "SHOPREC_DAYS": "120"}

#: Settings of any process that runs a job on it.
SMALL = (
    "memory_gib=0",
    "spark.master=local[2]",
    "spark.driver.memory=1500m",
    f"spark.driver.extraJavaOptions={JVM}",
    *(f"{name}={value}" for name, value in PLAIN.items()),
    "spark.sql.shuffle.partitions=2",
)

#: Settings that make the slow jobs quick; what they lose is quality.
QUICK = ("text_embeddings.encoder=hashed", "two_tower.epochs=2", "two_tower.width=16", "two_tower.hidden=16")


@dataclass(frozen=True)
class SmallRun:
    """Where the run lies and what it is."""

    out: Path
    as_of: date
    summary: dict
    printed: str

    @property
    def tables(self) -> Path:
        """The lake."""
        return self.out / "lake"

    @property
    def run_id(self) -> str:
        """The published run."""
        return self.summary["run_id"]

    @property
    def judged_at(self) -> date:
        """The as-of date of metrics and report."""
        return self.as_of + timedelta(days=14)


def environment(**more: str) -> dict[str, str]:
    """The variables of a process that is to run a job of this checkout."""
    return {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", **SHOP, **more}


def arguments(*settings: str) -> list[str]:
    """``--set`` for each of the settings."""
    return [word for setting in settings for word in ("--set", setting)]


@functools.cache
def make() -> SmallRun:
    """Run the demo's own script on the simulated shop, in a process of its own."""
    folder = tempfile.TemporaryDirectory(prefix="shoprec-small-")
    _kept.append(folder)  # removed when the test process ends
    out = Path(folder.name) / "run"
    command = [sys.executable, ROOT / "jobs/demo.py", "--shop", "simulated", "--as-of", str(AS_OF), "--out", out]
    command += arguments(*SMALL, *QUICK)
    ended = subprocess.run(command, cwd=folder.name, env=environment(), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    return SmallRun(out, AS_OF, json.loads((out / "summary.json").read_text()), ended.stdout)


_kept: list[tempfile.TemporaryDirectory] = []


@pytest.fixture(scope="session")
def small_run() -> SmallRun:
    """A published and judged run on the simulated shop."""
    return make()
