"""What a job used, and what is free for the next."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from shoprec import usage


@pytest.fixture(autouse=True)
def _without_what_runs_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite's own Spark gives memory back, and ends workers, whenever it pleases: of that nothing is measured."""
    running, family = set(psutil.Process().children(recursive=True)), usage._family
    monkeypatch.setattr(usage, "_family", lambda: [process for process in family() if process not in running])


def test_a_containers_limit_counts_without_the_files_that_it_keeps_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "_CGROUP", tmp_path)
    assert usage.free_bytes() == pytest.approx(psutil.virtual_memory().available, rel=0.5)
    (tmp_path / "memory.current").write_text("4000")
    (tmp_path / "memory.stat").write_text("anon 1000\ninactive_file 2500\nactive_file 500\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert usage.free_bytes() > 5000
    (tmp_path / "memory.max").write_text("5000\n")
    assert usage.free_bytes() == 4000


def test_pages_that_forked_processes_share_count_once() -> None:
    """Four processes by forks of one that holds 200 MiB: together little more than that, not four times as much."""
    # Two forks make four processes, which say so once each.
    child = (
        "import os, time; held = bytearray(b'x') * (200 << 20); [os.fork() for _ in range(2)]; print(flush=True); "
        "time.sleep(60)"
    )
    with usage.measured() as before:
        pass
    process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        for _ in range(4):
            process.stdout.readline()
        with usage.measured() as used:
            pass
    finally:
        for one in [*psutil.Process(process.pid).children(recursive=True), process]:
            one.kill()
        process.wait()
    assert 0.19 < used.peak_rss_gib - before.peak_rss_gib < 0.35


def test_what_children_did_counts_after_their_end_too() -> None:
    child = "import time\nwhile time.process_time() < 1: pass\nprint(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
    try:
        with usage.measured() as ended:
            assert process.stdout is not None
            process.stdout.readline()
            with usage.measured():  # A look while the child lives: what ends between two looks is not seen.
                pass
            process.kill()
            process.wait()
    finally:
        process.kill()
    assert 0.5 < ended.cpu_seconds < 2
    assert ended.seconds > 0.5


def test_what_is_measured_within_and_beside_another_counts_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "INTERVAL", 0.05)
    with usage.measured() as outer:
        with usage.measured() as first:
            pass
        with usage.measured() as inner:
            held = bytearray(b"x") * (100 << 20)
            time.sleep(0.5)
        del held
    # Not equal: a look that began within may end after it, and is then the outer one's alone.
    assert first.peak_rss_gib + 0.08 < inner.peak_rss_gib <= outer.peak_rss_gib < inner.peak_rss_gib + 0.05
    assert 0 <= inner.cpu_seconds <= outer.cpu_seconds
    assert first.seconds < inner.seconds < outer.seconds
