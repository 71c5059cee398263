"""The refusal of a training that does not fit into memory."""

from collections.abc import Mapping

from shoprec.errors import ConfigError

#: Bytes of a rank's process before it holds any data: Python, torch and Arrow.
PROCESS = 350 << 20


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
