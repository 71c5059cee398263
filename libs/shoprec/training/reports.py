"""What rank 0 tells the driver while it trains. Free of torch: the driver, which only listens, never loads it."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

Report = Callable[[dict[str, Any]], None]

#: A line of standard output that starts so carries a report, as JSON.
MARK = "@shoprec "

#: Seconds between two signs of life.
SIGN_OF_LIFE_S = 5.0


def printed(facts: dict[str, Any]) -> None:
    """Report by a line of standard output."""
    sys.stdout.write(MARK + json.dumps(facts) + "\n")
    sys.stdout.flush()


def heard(line: str) -> dict[str, Any] | None:
    """The report that a line of a launcher's output carries; None where it carries none."""
    # Launchers put the rank before the line, as in "[1,0]<stdout>:".
    _, mark, content = line.partition(MARK)
    return json.loads(content) if mark else None


def now_and_then(report: Report) -> Report:
    """``report`` for what happens often: it passes on what it is told at most every ``SIGN_OF_LIFE_S`` seconds."""
    spoke = time.monotonic()

    def often(facts: dict[str, Any]) -> None:
        nonlocal spoke
        if time.monotonic() - spoke > SIGN_OF_LIFE_S:
            spoke = time.monotonic()
            report(facts)

    return often
