"""Where conf/ and jobs/ are: beside the library in an installed or zipped wheel, at the top of a checkout."""

import atexit
import hashlib
import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import ModuleType

from shoprec.errors import ConfigError
from shoprec.settings import nearest


@cache
def root() -> Traversable:
    """The folder that holds conf/ and jobs/."""
    package = files("shoprec")
    return package if package.joinpath("conf").is_dir() else Path(str(package)).parents[1]


def conf_text(name: str) -> str:
    """The text of ``conf/<name>``.

    :raises ConfigError: there is no such file; the message names the nearest
    """
    place = root().joinpath("conf", *name.split("/"))
    if not place.is_file():
        folder, _, stem = name.rpartition("/")
        known = [
            f.name.removesuffix(".yml") for f in root().joinpath("conf", folder).iterdir() if f.name.endswith(".yml")
        ]
        raise ConfigError(f"there is no conf/{name}: {nearest(stem.removesuffix('.yml'), known)}")
    return place.read_text(encoding="utf-8")


@cache
def conf_file(name: str) -> Path:
    """``conf/<name>`` as a real file, for readers that are not Python.

    Out of a zipped wheel it is unpacked, for as long as the process lives.
    """
    return _unpacked.enter_context(as_file(root().joinpath("conf", name)))


_unpacked = ExitStack()
atexit.register(_unpacked.close)


def job_names() -> list[str]:
    """Every job's name: the stems in jobs/."""
    stems = (f.name.removesuffix(".py") for f in root().joinpath("jobs").iterdir() if f.name.endswith(".py"))
    return sorted(stem for stem in stems if not stem.startswith("_"))


@cache
def job_module(name: str) -> ModuleType:
    """The module jobs/<name>.py.

    :raises ConfigError: there is no such job; the message names the nearest
    """
    if name not in job_names():
        raise ConfigError(f"there is no job {name!r}: {nearest(name, job_names())}")
    if isinstance(root(), Path) and root().joinpath("libs").is_dir():
        spec = importlib.util.spec_from_file_location(f"shoprec_jobs.{name}", root() / "jobs" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    return importlib.import_module(f"shoprec.jobs.{name}")


@cache
def code_digest() -> str:
    """SHA-256 over every Python file of the library and the jobs: equal code, equal digest."""
    digest = hashlib.sha256()
    for folder in (files("shoprec"), root().joinpath("jobs")):
        for path, content in sorted(_python_files(folder)):
            digest.update(path.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()


def _python_files(folder: Traversable, path: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in ("jobs", "conf", "__pycache__"):
            yield from _python_files(entry, f"{path}{entry.name}/")
        elif entry.name.endswith(".py"):
            yield f"{path}{entry.name}", entry.read_bytes()
