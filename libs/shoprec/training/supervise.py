"""Runs a launcher as a process of its own, reads what it says, and leaves none of its processes behind."""

import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import psutil

#: Lines of output that an error repeats.
TAIL = 15


@dataclass(frozen=True)
class Ended:
    """How a launcher ended. ``code`` None: it was ended because nothing was heard from it."""

    code: int | None
    tail: str


def supervise(argv: list[str], environment: dict[str, str], heard: Callable[[str], bool], silence_s: float) -> Ended:
    """Run ``argv`` to its end.

    :param heard: told each line of output; returns whether the line is a sign of progress
    :param silence_s: seconds without progress after which all its processes are killed
    """
    lines: queue.Queue[str] = queue.Queue()
    family: set[psutil.Process] = set()
    tail: deque[str] = deque(maxlen=TAIL)
    process = subprocess.Popen(
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    last = time.monotonic()
    try:
        while process.poll() is None:
            family |= _descendants(process.pid)
            if _take(lines, tail, heard):
                last = time.monotonic()
            elif time.monotonic() - last > silence_s:
                return Ended(None, "\n".join(tail))
        _take(lines, tail, heard)
        return Ended(process.returncode, "\n".join(tail))
    finally:
        _kill(process, family | _descendants(process.pid))


def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    for line in process.stdout or ():
        lines.put(line.rstrip("\n"))


def _take(lines: queue.Queue[str], tail: deque[str], heard: Callable[[str], bool]) -> bool:
    """Hand over the lines that are there, after a short wait for the first; whether one was a sign of progress."""
    progress, wait = False, 0.3
    while True:
        try:
            line = lines.get(timeout=wait)
        except queue.Empty:
            return progress
        wait = 0.02
        if heard(line):
            progress = True
        else:
            tail.append(line)


def _descendants(pid: int) -> set[psutil.Process]:
    try:
        return set(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def _kill(process: subprocess.Popen[str], family: set[psutil.Process]) -> None:
    # The set was taken while they lived: those whose parent is gone are found too, and a reused number is not harmed.
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    if process.poll() is None:
        process.kill()
    process.wait()
    psutil.wait_procs(family, timeout=5)
