"""The ways in which a job runs, each for real: its script, inside the pipeline, spark-submit to a cluster, a notebook.

One job stands for all of them: user_index reads a silver table and writes a gold one, and every way must make the rows
that the pipeline made.
"""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import nbformat
import pytest
from deltalake import DeltaTable
from nbclient import NotebookClient

from shoprec.config import load_graph
from shoprec.graph import nodes
from tests.cluster import ROOT, Cluster, bare, build_wheel, dependencies_alone, standalone
from tests.small_run import QUICK, SHOP, SMALL, SmallRun, environment
from tests.small_run import arguments as settings

#: The small run and the cluster's start count in the test that asks for them first.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def lake(small_run: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the small run's lake, so that these tests may write into it."""
    return Path(shutil.copytree(small_run.tables, tmp_path_factory.mktemp("ways") / "lake"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it is sent to a cluster."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment without the project."""
    return dependencies_alone(tmp_path_factory.mktemp("elsewhere") / "env")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, elsewhere: Path, wheel: Path) -> Iterator[Cluster]:
    """A master and two workers."""
    with standalone(tmp_path_factory.mktemp("cluster"), elsewhere, wheel) as running:
        yield running


def arguments(run: SmallRun, lake: Path, run_id: str) -> list[str]:
    """What any way of running user_index is told."""
    places = settings(f"tables={lake}", f"files={lake.parent}/files")
    return ["--as-of", str(run.as_of), "--shop", "simulated", "--run-id", run_id, *places]


def index_of(lake: Path, as_of: date, run_id: str) -> list[tuple]:
    """The rows of user_index of a run, read without Spark, in order and without the columns that name the run."""
    filters = [("as_of", "=", str(as_of)), ("run_id", "=", run_id)]
    rows = DeltaTable(lake / "gold/user_index").to_pyarrow_table(partitions=filters).to_pylist()
    return sorted((r["user_id"], r["user_idx"], r["market"], r["interactions"]) for r in rows)


def jobs_of(lake: Path, run_id: str) -> list[str]:
    """The jobs of a run that came to their end."""
    rows = DeltaTable(lake / "gold/job_runs").to_pyarrow_table().to_pylist()
    return [row["job"] for row in rows if row["run_id"] == run_id]


def test_inside_the_pipeline(small_run: SmallRun):
    """The demo's script ran every job of the graph in one session, and published the run."""
    graph = load_graph()
    expected = [node.job for part in (graph.jobs, graph.judging) for node in nodes(part)]
    assert sorted(jobs_of(small_run.tables, small_run.run_id)) == sorted(expected)
    assert len(index_of(small_run.tables, small_run.as_of, small_run.run_id)) > 10
    (published,) = DeltaTable(small_run.tables / "gold/runs").to_pyarrow_table().to_pylist()
    assert published["run_id"] == small_run.run_id


def test_as_a_script(small_run: SmallRun, lake: Path, tmp_path: Path):
    """``python jobs/user_index.py``, from any folder; here for the earlier of the run's dates."""
    told = ["--at", "-1", *arguments(small_run, lake, "by-script"), *settings(*SMALL)]
    command = [sys.executable, ROOT / "jobs/user_index.py", *told]
    ended = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "by-script" in ended.stdout
    earlier = small_run.as_of - timedelta(days=load_graph().horizon)
    assert len(index_of(lake, earlier, "by-script")) > 10
    assert index_of(lake, earlier, "by-script") == index_of(lake, earlier, small_run.run_id)
    assert index_of(lake, small_run.as_of, "by-script") == []


def test_from_a_notebook(small_run: SmallRun, lake: Path, tmp_path: Path):
    """``run("user_index", …)`` in a cell; the context tells what was written."""
    told = [f"tables={lake}", f"files={lake.parent}/files", *SMALL]
    call = f'run("user_index", "{small_run.as_of}", shop="simulated", run_id="by-notebook", settings={told!r})'
    cell = f"from shoprec.job import run\n\ncontext = {call}\nprint(context.written[0].rows)"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    done = NotebookClient(book, timeout=300, kernel_name="python3").execute(cwd=str(tmp_path), env=environment())
    rows = index_of(lake, small_run.as_of, "by-notebook")
    printed = "".join(one["text"] for one in done.cells[0].outputs if one.get("name") == "stdout")
    assert rows == index_of(lake, small_run.as_of, small_run.run_id)
    assert printed.splitlines()[-1] == str(len(rows))


def test_the_wheel_runs_from_a_zip_without_the_checkout(elsewhere: Path, wheel: Path, tmp_path: Path):
    """Where the project is not installed, its wheel on the path is enough: library, jobs and configuration."""
    variables = bare(tmp_path, elsewhere)
    command = [elsewhere, "-c", "import pyspark, torch, shoprec"]
    without = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert "No module named 'shoprec'" in without.stderr
    packed = shutil.copy(wheel, tmp_path / "shoprec.zip")
    script = (
        "import json, shoprec.job as j, shoprec.resources as r; from shoprec.config import load_graph;"
        "load_graph(); c = j.load_config('prod', 'simulated', []);"
        "log = str(r.conf_file('log4j2.properties').is_file());"
        "print(json.dumps([r.job_names(), r.code_digest(), log, c.env.tables]))"
    )
    variables |= {"PYTHONPATH": str(packed), "SHOPREC_TABLES": "main.shop", "SHOPREC_FILES": "/files"}
    ended = subprocess.run(
        [elsewhere, "-c", script], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    names, digest, unpacked, tables = json.loads(ended.stdout.splitlines()[-1])
    from shoprec import resources  # noqa: PLC0415 - the checkout's own, to compare with

    assert names == resources.job_names()
    assert digest == resources.code_digest(), "the same code must make the same run, however it travelled"
    assert unpacked == "True"
    assert tables == "main.shop"


def test_the_wheel_holds_code_and_configuration_alone(wheel: Path):
    with zipfile.ZipFile(wheel) as file:
        tops = {name.split("/")[0] for name in file.namelist()}
        inside = {name.split("/")[1] for name in file.namelist() if name.startswith("shoprec/")}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"shoprec"}
    assert {"conf", "jobs", "job.py"} <= inside
    assert "tests" not in inside


def test_one_job_by_spark_submit(small_run: SmallRun, lake: Path, cluster: Cluster, tmp_path: Path):
    """On a cluster, from an empty home and another folder, where the project is there as its wheel alone."""
    places = {"SHOPREC_TABLES": str(lake), "SHOPREC_FILES": str(lake.parent / "files"), **SHOP}
    told = arguments(small_run, lake, "by-submit")
    ended = cluster.submit("user_index", *told, "--env", "dev", cwd=tmp_path, **places)
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert index_of(lake, small_run.as_of, "by-submit") == index_of(lake, small_run.as_of, small_run.run_id)


def test_a_refusal_reaches_the_caller_of_spark_submit(
    small_run: SmallRun, lake: Path, cluster: Cluster, tmp_path: Path
):
    """The exit code is the job's own."""
    places = {"SHOPREC_TABLES": str(lake), "SHOPREC_FILES": str(lake.parent / "files"), **SHOP}
    told = arguments(small_run, lake, "refused")
    ended = cluster.submit("user_index", *told, "--env", "dev", "--set", "als.rnak=3", cwd=tmp_path, **places)
    assert ended.returncode == 2
    assert "als.rank" in ended.stdout, "spark-submit passes on as its output what a job says on either stream"


def test_the_whole_pipeline_by_spark_submit(small_run: SmallRun, cluster: Cluster, tmp_path: Path):
    """Every job on the cluster into a lake of its own, training on two Horovod processes included."""
    lake, cwd = tmp_path / "lake", tmp_path / "elsewhere"
    cwd.mkdir()
    places = {"SHOPREC_TABLES": str(lake), "SHOPREC_FILES": str(tmp_path / "files"), **SHOP}
    told = ["--as-of", str(small_run.as_of), "--shop", "simulated", "--env", "dev", "--run-id", "by-cluster"]
    ended = cluster.submit("pipeline", *told, *settings(*QUICK), cwd=cwd, **places)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    assert sorted(jobs_of(lake, "by-cluster")) == sorted(node.job for node in nodes(load_graph().jobs))
    assert index_of(lake, small_run.as_of, "by-cluster") == index_of(
        small_run.tables, small_run.as_of, small_run.run_id
    )
    (published,) = DeltaTable(lake / "gold/runs").to_pyarrow_table().to_pylist()
    assert published["run_id"] == "by-cluster"
    # Matplotlib, with which training draws its curves, keeps its list of fonts there.
    left = [file.name for file in cluster.home.rglob("*") if file.is_file() and "matplotlib" not in file.parts]
    assert left == [], "nothing may be left in the home folder"
