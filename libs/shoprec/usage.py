"""What a job used (seconds, CPU-seconds, memory, of this process and all that it started), and what is free."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Seconds between two looks at the processes.
INTERVAL = 2.0

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


class _Watch:
    """Looks at this process and its descendants once for all that is being measured: a look costs tens of ms."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[Usage] = []
        self._running = False
        self._cpu: dict[tuple[int, float], float] = {}

    def begin(self, usage: Usage) -> float:
        """Fill in ``usage`` from now on; the CPU-seconds seen so far."""
        with self._lock:
            self._open.append(usage)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, daemon=True).start()
        return self.look()

    def end(self, usage: Usage) -> float:
        """Leave ``usage`` as it is from now on; the CPU-seconds seen so far."""
        seen = self.look()
        with self._lock:
            # Not by equality: two that have just begun are equal.
            self._open = [one for one in self._open if one is not usage]
        return seen

    def _run(self) -> None:
        while True:
            time.sleep(INTERVAL)
            with self._lock:
                if not self._open:
                    self._running = False
                    return
            self.look()

    def look(self) -> float:
        """Take memory and CPU time as they are now; CPU-seconds of processes that live and of those that have ended."""
        resident, cpu = 0, {}
        for process in _family():
            try:
                with process.oneshot():
                    shared_out = psutil.LINUX and process.name().startswith("python")
                    resident += process.memory_full_info().pss if shared_out else process.memory_info().rss
                    times = process.cpu_times()
                    cpu[process.pid, process.create_time()] = times.user + times.system
            except psutil.Error:
                continue
        with self._lock:
            self._cpu |= {key: max(seconds, self._cpu.get(key, 0.0)) for key, seconds in cpu.items()}
            for usage in self._open:
                usage.peak_rss_gib = max(usage.peak_rss_gib, resident / 2**30)
            return sum(self._cpu.values())


_WATCH = _Watch()


def _family() -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


@contextmanager
def measured() -> Iterator[Usage]:
    """Measure everything that runs inside the block. Processes shorter than the interval escape it."""
    usage, started = Usage(), time.monotonic()
    before = _WATCH.begin(usage)
    try:
        yield usage
    finally:
        usage.cpu_seconds = _WATCH.end(usage) - before
        usage.seconds = time.monotonic() - started


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
