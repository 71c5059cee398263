"""The daemon from which Spark forks its Python workers, with what most of them use loaded once for all.

Spark's own daemon loads nothing: each worker then spends seconds of a core on its imports, and holds a copy of what it
loaded; and of every task it spends a tenth of a second on zips and on garbage that are as they were before.
``spark.python.daemon.module`` names this one where the workers have the project installed.
"""

import gc
import importlib
import socket
import zipimport
from pathlib import Path

import numpy  # noqa: F401
import pandas  # noqa: F401
import pyarrow.compute  # noqa: F401
import pyspark.sql.pandas.serializers  # noqa: F401
import xgboost  # noqa: F401
from numba.core.registry import cpu_target
from pyspark import daemon

_read_anew = zipimport.zipimporter.invalidate_caches
_read: dict[tuple[str, str], tuple[int, int]] = {}
_worker = daemon.worker


def read_if_changed(importer: zipimport.zipimporter) -> None:
    """Read the list of what is in a zip again, if the zip is another than when it was read last.

    A worker forgets at the beginning of each task what it knows of the places that modules come from. Up to Python 3.11
    that reads the list of every zip on the path (those of PySpark are there) at once: a sixth of a second a task.
    """
    key = importer.archive, importer.prefix
    try:
        found = Path(importer.archive).stat()
    except OSError:
        stamp = None
    else:
        stamp = found.st_mtime_ns, found.st_size
    if stamp is None or _read.get(key) != stamp:
        _read_anew(importer)
        if stamp:
            _read[key] = stamp


def end_quietly(sock: socket.socket, authenticated: bool) -> int:
    """A worker's life. Spark ends one that was idle for a minute by closing its socket.

    A worker answers that, and over a Unix socket the answer fails at once, with a trace of no use to anyone.
    """
    try:
        return _worker(sock, authenticated)
    except BrokenPipeError:
        return 1


if __name__ == "__main__":
    daemon.worker = end_quietly
    zipimport.zipimporter.invalidate_caches = read_if_changed
    # Known before the first fork, each worker knows it.
    importlib.invalidate_caches()
    # What numba knows of types is made at the first use of a kernel, .3 s and 50 MiB in each worker.
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    # After each task a worker looks for garbage. What was loaded before is none: it need not be gone through.
    gc.freeze()
    daemon.manager()
