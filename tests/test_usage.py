"""What a job used, and what is free for the next."""

from pathlib import Path

import psutil
import pytest

from shoprec import usage


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
