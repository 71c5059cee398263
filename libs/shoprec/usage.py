"""What a job used (seconds, CPU-seconds, memory, of this process and all that it started), and what is free."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

#: Seconds between two looks at the processes' memory.
INTERVAL = 1.0

_CGROUP = Path("/sys/fs/cgroup")


@dataclass
class Usage:
    """Filled in while :func:`measured` is open and final once it has closed.

    Memory is the sum over the processes of what is resident. Pages that Python processes share (Spark forks its
    workers, and all load the same libraries) are shared out among them, or they would count once for each; of other
    processes, which share next to nothing, all counts: to walk its pages would hold up the JVM.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss_gib: float = 0.0
    _cpu: dict[tuple[int, float], float] = field(default_factory=dict, repr=False)

    def look(self) -> None:
        """Take the memory and CPU time of this process and its descendants as they are now."""
        resident = 0
        for process in _family():
            try:
                with process.oneshot():
                    shared_out = psutil.LINUX and process.name().startswith("python")
                    resident += process.memory_full_info().pss if shared_out else process.memory_info().rss
                    times = process.cpu_times()
                    self._cpu[process.pid, process.create_time()] = times.user + times.system
            except psutil.Error:
                continue
        self.peak_rss_gib = max(self.peak_rss_gib, resident / 2**30)

    def total_cpu(self) -> float:
        """CPU-seconds seen so far, of processes that live and of those that have ended."""
        return sum(self._cpu.values())


def _family() -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


@contextmanager
def measured() -> Iterator[Usage]:
    """Measure everything that runs inside the block. Processes shorter than the interval escape it."""
    usage, done = Usage(), threading.Event()
    usage.look()
    before, started = usage.total_cpu(), time.monotonic()

    def watch() -> None:
        while not done.wait(INTERVAL):
            usage.look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield usage
    finally:
        done.set()
        watcher.join()
        usage.look()
        usage.seconds = time.monotonic() - started
        usage.cpu_seconds = usage.total_cpu() - before


def free_bytes() -> int:
    """Bytes that new processes can take on this machine, within the limit of this one's container."""
    free = psutil.virtual_memory().available
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        parts = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return free
    # Files that were read or written stay in memory until somebody needs it.
    given_back = int(parts.get("active_file", 0)) + int(parts.get("inactive_file", 0))
    return free if limit == "max" else min(free, int(limit) - used + given_back)
