"""How much memory a rank may use, and the refusal of what does not fit."""

from collections.abc import Mapping
from pathlib import Path

import psutil

from shoprec.errors import ConfigError

#: Bytes of a rank's process before it holds any data: Python, torch and Arrow.
PROCESS = 350 << 20

_CGROUP = Path("/sys/fs/cgroup")


def free_bytes() -> int:
    """Bytes that new processes can take on this machine, within the limit of this one's container."""
    free = psutil.virtual_memory().available
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return free if limit == "max" else min(free, int(limit) - used)


def check_fits(needs: Mapping[str, int], allowed: int, advice: str) -> None:
    """Refuse what does not fit.

    :param needs: what takes memory on one rank -> bytes
    :param allowed: bytes that one rank may use
    :param advice: the settings that make it smaller
    :raises ConfigError: the needs sum up to more than is allowed
    """
    total = sum(needs.values())
    if total > allowed:
        parts = ", ".join(f"{name} {_size(size)}" for name, size in sorted(needs.items(), key=lambda n: -n[1]))
        raise ConfigError(f"a rank needs {_size(total)} of memory ({parts}) and may use {_size(allowed)}: {advice}")


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 1 << 30 else f"{count / 2**20:,.0f} MiB"
