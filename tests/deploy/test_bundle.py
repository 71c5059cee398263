"""The Databricks bundle, loaded as the Databricks CLI loads it, against the graph that it is made from."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from databricks.bundles.jobs import Job

from shoprec import resources
from shoprec.config import Env, load_graph
from shoprec.graph import nodes
from shoprec.job import load_job

ROOT = Path(__file__).parents[2]
BUNDLE = yaml.safe_load((ROOT / "deploy/databricks.yml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = ("dev", "prod")

#: The Python of the runtimes that deploy/databricks.yml names (18 LTS).
RUNTIME_PYTHON = "3.12"


def load(target: str, folder: Path, **values: str) -> dict[str, dict]:
    """The jobs that the CLI gets when it deploys ``target``: it runs this very command in deploy/."""
    declared = {name: {"value": one.get("default")} for name, one in BUNDLE["variables"].items()}
    chosen = BUNDLE["targets"][target].get("variables", {}) | values
    told = {**BUNDLE, "bundle": {**BUNDLE["bundle"], "target": target}, "resources": {}}
    told["variables"] = declared | {name: {"value": value} for name, value in chosen.items()}
    (folder / "input.json").write_text(json.dumps(told))
    command = [sys.executable, "-m", "databricks.bundles.build", "--phase", "load_resources", "--input"]
    command += [folder / "input.json", "--output", folder / "output.json", "--diagnostics", folder / "diagnostics.json"]
    ended = subprocess.run(command, cwd=ROOT / "deploy", capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr + (folder / "diagnostics.json").read_text()
    assert (folder / "diagnostics.json").read_text() == ""
    return json.loads((folder / "output.json").read_text())["resources"]["jobs"]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory) -> dict[str, dict[str, dict]]:
    """The jobs of each target; production trains with the image, development without."""
    images = {"dev": "", "prod": "shoprec-gpu:1"}
    return {one: load(one, tmp_path_factory.mktemp(one), gpu_image=images[one]) for one in TARGETS}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("job", "part"), [("pipeline", "jobs"), ("judging", "judging")])
def test_tasks_and_dependencies_are_the_nodes_and_edges_of_the_graph(jobs, target, job, part):
    tasks = {}
    for task in jobs[target][job]["tasks"]:
        name, *words = task["python_wheel_task"]["parameters"]
        at = words[words.index("--at") + 1] if "--at" in words else "0"
        tasks[task["task_key"]] = name if at == "0" else f"{name}@{at}"
        assert re.fullmatch(r"[\w-]{1,100}", task["task_key"])
    edges = {
        (tasks[before["task_key"]], tasks[task["task_key"]])
        for task in jobs[target][job]["tasks"]
        for before in task.get("depends_on", [])
    }
    graph = nodes(getattr(load_graph(), part))
    assert sorted(tasks.values()) == sorted(str(node) for node in graph)
    assert edges == {(str(before), str(node)) for node, followed in graph.items() for before in followed}


@pytest.mark.parametrize("target", TARGETS)
def test_every_field_is_one_that_databricks_knows(jobs, target):
    for job in jobs[target].values():
        assert Job.from_dict(job).as_dict() == job
        with pytest.raises(Exception, match="retrys"):
            Job.from_dict(job | {"tasks": [job["tasks"][0] | {"retrys": 1}]})


@pytest.mark.parametrize("target", TARGETS)
def test_every_task_names_a_job_and_an_entry_point_that_exist(jobs, target):
    module, _, function = PROJECT["scripts"]["shoprec"].partition(":")
    assert callable(getattr(__import__(module, fromlist=[function]), function))
    for job in jobs[target].values():
        for task in job["tasks"]:
            wheel = task["python_wheel_task"]
            assert (wheel["package_name"], wheel["entry_point"]) == (PROJECT["name"], "shoprec")
            assert wheel["parameters"][0] in resources.job_names()


def test_the_installed_entry_point_runs_a_job_by_its_name(monkeypatch, capsys):
    points = importlib.metadata.entry_points(group="console_scripts", name="shoprec")
    if not points:
        pytest.skip("the project is not installed in this environment")
    (point,) = points
    monkeypatch.setattr(sys, "argv", ["shoprec", "samples", "--help"])
    with pytest.raises(SystemExit) as ended:
        point.load()()
    assert ended.value.code == 0
    assert "gold.samples" in capsys.readouterr().out


@pytest.mark.parametrize("target", TARGETS)
def test_tasks_follow_their_entries(jobs, target):
    graph = load_graph()
    for job in jobs[target].values():
        clusters = {one["job_cluster_key"] for one in job["job_clusters"]}
        for task in job["tasks"]:
            entry = graph.entry(task["python_wheel_task"]["parameters"][0])
            assert task["job_cluster_key"] == entry.compute
            assert task["max_retries"] == entry.retries
            assert task["timeout_seconds"] > 0
        assert clusters == {task["job_cluster_key"] for task in job["tasks"]}


@pytest.mark.parametrize("target", TARGETS)
def test_all_tasks_of_a_job_work_for_one_run_with_the_same_settings(jobs, target):
    for name, job in jobs[target].items():
        words = [task["python_wheel_task"]["parameters"][1:] for task in job["tasks"]]
        told = {
            tuple(one[: one.index("--at")] + one[one.index("--at") + 2 :] if "--at" in one else one) for one in words
        }
        assert len(told) == 1
        (arguments,) = told
        assert arguments[:2] == ("--as-of", "{{job.parameters.as_of}}")
        parameters = {one["name"] for one in job["parameters"]}
        assert set(re.findall(r"job\.parameters\.(\w+)", " ".join(arguments))) == parameters
        assert ("--run-id" in arguments) == (name == "pipeline")


def test_judging_finds_the_run_of_one_horizon_ago():
    for name in load_graph().judging:
        assert load_job(name).run_horizons == 1, f"{name} would look for a run of its own day"


@pytest.mark.parametrize(("target", "launcher"), [("dev", "torch_distributor"), ("prod", "horovod_spark")])
def test_training_takes_horovod_from_the_image_and_torch_without_one(jobs, target, launcher):
    gpu = next(
        one["new_cluster"] for one in jobs[target]["pipeline"]["job_clusters"] if one["job_cluster_key"] == "gpu"
    )
    assert gpu["data_security_mode"] == "DATA_SECURITY_MODE_DEDICATED"
    if target == "prod":
        assert gpu["docker_image"] == {"url": "${var.gpu_image}"}
        assert gpu["spark_version"] == "${var.image_runtime}"
    else:
        assert "docker_image" not in gpu
        assert gpu["spark_version"] == "${var.gpu_runtime}"
    for job, entry in load_graph().jobs.items():
        if entry.compute != "gpu":
            continue
        settings = load_job(job).settings
        assert launcher in str(settings.model_fields["launcher"].annotation)
        assert {"ranks", "device"} <= set(settings.model_fields)
        for task in jobs[target]["pipeline"]["tasks"]:
            assert f"{job}.launcher={launcher}" in task["python_wheel_task"]["parameters"]


@pytest.mark.parametrize("target", TARGETS)
def test_targets_differ_in_schedule_and_have_an_environment(jobs, target):
    assert set(BUNDLE["targets"]) == set(TARGETS)
    assert BUNDLE["targets"][target]["mode"] == {"dev": "development", "prod": "production"}[target]
    Env(**yaml.safe_load(resources.conf_text(f"env/{target}.yml")))
    for job in jobs[target].values():
        assert job["schedule"]["pause_status"] == {"dev": "PAUSED", "prod": "UNPAUSED"}[target]
        assert job["max_concurrent_runs"] == 1
        assert job["email_notifications"]["on_failure"] == ["${var.notify}"]
        assert {one["level"] for one in job["permissions"]} == {"CAN_MANAGE_RUN", "CAN_VIEW"}
        assert {"env", target} <= {word.lstrip("-") for word in job["tasks"][0]["python_wheel_task"]["parameters"]}


@pytest.mark.parametrize("target", TARGETS)
def test_only_declared_variables_are_used(jobs, target):
    used = set(re.findall(r"\$\{var\.(\w+)\}", json.dumps(jobs[target]) + json.dumps(BUNDLE)))
    assert used <= set(BUNDLE["variables"])
    places = set(re.findall(r"\$\{(\w+)\}", resources.conf_text(f"env/{target}.yml")))
    for cluster in jobs[target]["pipeline"]["job_clusters"]:
        assert places <= set(cluster["new_cluster"]["spark_env_vars"])


def test_clusters_install_the_wheel_and_what_it_asks_for_there(jobs):
    for task in jobs["prod"]["pipeline"]["tasks"]:
        wheels = [one["whl"] for one in task["libraries"] if "whl" in one]
        packages = {one["pypi"]["package"] for one in task["libraries"] if "pypi" in one}
        assert wheels == ["../dist/*.whl"]
        assert packages >= set(PROJECT["optional-dependencies"]["cluster"])
        assert not [one for one in packages if one.startswith(("pyspark", "delta-spark", "torch"))]


def test_the_wheel_can_be_installed_on_the_runtime():
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups()
    minor = int(RUNTIME_PYTHON.partition(".")[2])
    assert int(low) <= minor < int(high), (
        f"pip on Python {RUNTIME_PYTHON} refuses requires-python {PROJECT['requires-python']}"
    )


def test_nothing_in_deploy_names_a_job_that_does_not_exist():
    known = set(resources.job_names())
    for path in sorted((ROOT / "deploy").rglob("*")):
        if not path.is_file() or "__pycache__" in path.parts:
            continue
        text = path.read_text(errors="ignore")
        named = set(re.findall(r"jobs/([a-z]\w*)\.py", text)) | set(re.findall(r" -- ([a-z]\w+) --as-of", text))
        assert named <= known, path
