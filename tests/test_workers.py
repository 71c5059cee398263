"""The daemon of Spark's Python workers."""

import importlib
import subprocess
import sys
import zipfile
import zipimport
from collections.abc import Iterator
from pathlib import Path

import pytest

from shoprec import workers


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A zip on the path with the module ``zipped_a``, and the daemon's way to forget."""
    archive = tmp_path / "modules.zip"
    write(archive, "zipped_a")
    monkeypatch.setattr(zipimport.zipimporter, "invalidate_caches", workers.read_if_changed)
    monkeypatch.syspath_prepend(str(archive))
    yield archive
    for name in [name for name in sys.modules if name.startswith("zipped_")]:
        del sys.modules[name]


def write(archive: Path, *modules: str) -> None:
    with zipfile.ZipFile(archive, "w") as made:
        for module in modules:
            made.writestr(f"{module}.py", "answer = 42")


def test_the_list_of_a_zip_is_read_again_only_when_it_changed(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    importlib.import_module("zipped_a")
    read, plain = [], zipimport._read_directory
    monkeypatch.setattr(zipimport, "_read_directory", lambda path: read.append(path) or plain(path))
    for _ in range(3):
        importlib.invalidate_caches()
    assert read.count(str(archive)) <= 1
    write(archive, "zipped_a", "zipped_b")
    importlib.invalidate_caches()
    assert importlib.import_module("zipped_b").answer == 42


def test_a_zip_that_is_gone_has_no_modules(archive: Path) -> None:
    importlib.import_module("zipped_a")
    importlib.invalidate_caches()
    archive.unlink()
    importlib.invalidate_caches()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("zipped_b")


#: A worker whose other end Spark has closed; the exit code is what the worker's life gave.
IDLE = """
import os, socket, sys
os.environ.update(PYTHON_DAEMON_KILL_WORKER_ON_FLUSH_FAILURE="1")
from shoprec import workers
ours, theirs = socket.socketpair()
theirs.close()
sys.exit(10 + workers.end_quietly(ours, True))
"""


def test_a_worker_that_was_idle_ends_without_a_trace() -> None:
    ended = subprocess.run([sys.executable, "-c", IDLE], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 11
    assert "Traceback" not in ended.stderr
