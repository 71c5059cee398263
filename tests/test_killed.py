"""A run killed with kill -9 and started again ends as one that was never killed; finished jobs are not repeated."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.same import assert_same_gold
from tests.small_run import QUICK, ROOT, SMALL, SmallRun, arguments, environment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]

#: Seconds within which the moment to kill at must come.
PATIENCE = 600


def command(run: SmallRun, out: Path) -> list[str]:
    """The demo's script on the shop of the small run."""
    script = [sys.executable, str(ROOT / "jobs/demo.py"), "--shop", "simulated"]
    return [*script, "--as-of", str(run.as_of), "--out", str(out), *arguments(*SMALL, *QUICK)]


def killed_when(moment: Callable[[str], bool], run: SmallRun, out: Path) -> str:
    """Start the run, kill all of its processes once ``moment(what it said)`` is true, and return what it said."""
    log = out.parent / "said.txt"
    with log.open("w") as file:
        process = subprocess.Popen(
            command(run, out), cwd=out.parent, env=environment(), stdout=file, stderr=file, start_new_session=True
        )
        until = time.monotonic() + PATIENCE
        try:
            while not moment(log.read_text()):
                assert process.poll() is None, f"the run ended before it could be killed:\n{log.read_text()[-2000:]}"
                assert time.monotonic() < until, f"the moment never came:\n{log.read_text()[-2000:]}"
                time.sleep(0.02)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return log.read_text()


def commits(table: Path) -> int:
    """How many commits a Delta table has; 0 when it is not there."""
    return len(list((table / "_delta_log").glob("*.json")))


def test_a_run_killed_three_times_ends_as_one_never_killed(small_run: SmallRun, tmp_path: Path) -> None:
    out = tmp_path / "run"
    lake, files = out / "lake", out / "files"

    def between_bronze_tables(said: str) -> bool:
        return commits(lake / "bronze/transactions") > 0

    def in_training(said: str) -> bool:
        # Not rglob, which fails where a folder goes away while it looks.
        return any(name.endswith(".safetensors") for _, _, names in os.walk(files) for name in names)

    def between_two_writes(said: str) -> bool:
        # Each model writes the users' vectors, then the items'.
        return commits(lake / "gold/user_embeddings") > commits(lake / "gold/item_embeddings")

    for moment in (between_bronze_tables, between_two_writes, in_training):
        said = killed_when(moment, small_run, out)
        assert not said.rstrip().endswith("with a manifest")
        assert published(lake) == [], "a run that was killed must not be seen"
    ended = subprocess.run(
        command(small_run, out), cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    assert "interactions for" in ended.stdout
    assert "samples for" in ended.stdout
    assert ended.stdout.count("done before") >= 10, "finished jobs were repeated"
    assert published(lake) == [small_run.run_id]
    assert_same_gold(small_run.tables, lake, small_run.run_id)


def published(lake: Path) -> list[str]:
    if not (lake / "gold/runs").exists():
        return []
    return DeltaTable(lake / "gold/runs").to_pyarrow_table(columns=["run_id"])["run_id"].to_pylist()
