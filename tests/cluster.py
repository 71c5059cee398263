"""A standalone Spark cluster on this machine, and an environment with the dependencies but without the project."""

import os
import re
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyspark

from tests.light_spark import JVM, PLAIN

ROOT = Path(__file__).parents[1]
SPARK_HOME = Path(pyspark.__file__).parent

#: Seconds within which the master and its workers must stand; a few on an idle machine.
START = 300


@dataclass(frozen=True)
class Cluster:
    """The master's address, the Python that the cluster and its drivers use, and the wheel that is sent."""

    master: str
    python: Path
    wheel: Path
    home: Path

    def submit(self, *arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess:
        """Call deploy/spark_submit.sh as a user would who has nothing but Spark, the wheel and the scripts."""
        told = {"SHOPREC_WHEEL": str(self.wheel), "SPARK_HOME": str(SPARK_HOME), **variables}
        options = ["--master", self.master, "--driver-memory", "1g", "--executor-memory", "700m"]
        options += ["--conf", "spark.ui.enabled=false", "--conf", "spark.sql.shuffle.partitions=2"]
        options += ["--conf", "spark.databricks.delta.snapshotPartitions=2", "--conf", "spark.default.parallelism=2"]
        options += ["--driver-java-options", JVM, "--conf", f"spark.executor.extraJavaOptions={JVM}"]
        options += [word for name, value in PLAIN.items() for word in ("--conf", f"{name}={value}")]
        return subprocess.run(
            [ROOT / "deploy/spark_submit.sh", *options, "--", *arguments],
            cwd=cwd,
            env=bare(self.home, self.python) | told,
            capture_output=True,
            text=True,
            check=False,
        )


def bare(home: Path, python: Path) -> dict[str, str]:
    """Variables with an empty home, and nothing that leads to this checkout or its environment."""
    kept = {name: os.environ[name] for name in ("PATH", "JAVA_HOME", "LANG", "TMPDIR") if name in os.environ}
    path = ":".join(part for part in kept["PATH"].split(":") if not part.startswith(str(ROOT)))
    return kept | {"HOME": str(home), "PATH": path, "PYSPARK_PYTHON": str(python), "SPARK_LOCAL_IP": "127.0.0.1"}


def dependencies_alone(folder: Path) -> Path:
    """The Python of an environment that sees this environment's packages, but not what is installed as editable.

    A folder that a .pth file names is put on the path without reading the .pth files within it; the project's own
    editable install is such a file.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text(f"{SPARK_HOME.parent}\n")
    return folder / "bin/python"


def build_wheel(folder: Path) -> Path:
    """The project's wheel, built from this checkout."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("shoprec-*.whl")
    return wheel


@contextmanager
def standalone(folder: Path, python: Path, wheel: Path) -> Iterator[Cluster]:
    """A master and two workers of one core each; they are gone when the block ends, whatever happens in it."""
    home = folder / "home"
    home.mkdir()
    with ExitStack() as stack:
        port = free_port()
        master = f"spark://127.0.0.1:{port}"
        arguments = ["--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
        logs = [stack.enter_context(_daemon("master.Master", arguments, folder, home, python, "master"))]
        for name in ("one", "two"):
            arguments = ["--host", "127.0.0.1", "--cores", "1", "--memory", "900m", "--webui-port", "0"]
            arguments += ["--work-dir", str(folder / name), master]
            logs.append(stack.enter_context(_daemon("worker.Worker", arguments, folder, home, python, name)))
        _wait(logs[0], r"Registering worker", 2)
        yield Cluster(master, python, wheel, home)


@contextmanager
def _daemon(name: str, arguments: list[str], folder: Path, home: Path, python: Path, log: str) -> Iterator[Path]:
    place = folder / f"{log}.log"
    variables: Mapping[str, str] = bare(home, python) | {"SPARK_HOME": str(SPARK_HOME), "SPARK_DAEMON_MEMORY": "256m"}
    command = [SPARK_HOME / "bin/spark-class", f"org.apache.spark.deploy.{name}", *arguments]
    with place.open("w") as file:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield place
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(log: Path, pattern: str, times: int) -> None:
    until = time.monotonic() + START
    while len(re.findall(pattern, log.read_text())) < times:
        if time.monotonic() > until:
            raise TimeoutError(f"the cluster does not stand after {START} s:\n{log.read_text()[-3000:]}")
        time.sleep(0.3)


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
