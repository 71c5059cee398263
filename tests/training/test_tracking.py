"""Where MLflow's records go, and what is refused."""

import pytest
from mlflow import MlflowClient

from shoprec.errors import ConfigError
from shoprec.training.config import TrainingConfig
from shoprec.training.storage import Folder
from shoprec.training.tracking import Training, curves, local_copy, place, record

FACTS = {"epochs": [1, 2], "loss": [2.0, 1.5], "val": [None, 0.25], "samples_per_second": 100.0}


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DATABRICKS_RUNTIME_VERSION", raising=False)


def test_the_setting_comes_first_then_the_environment_then_files(tmp_path, monkeypatch):
    uri, artifacts = place(TrainingConfig(), str(tmp_path))
    assert uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    assert artifacts == f"file://{tmp_path}/mlflow/artifacts"
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    assert place(TrainingConfig(), "dbfs:/x") == ("databricks", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    assert place(TrainingConfig(), str(tmp_path)) == ("http://there", None)
    assert place(TrainingConfig(tracking="http://here"), str(tmp_path)) == ("http://here", None)


def test_files_that_are_no_local_disk_need_a_uri():
    with pytest.raises(ConfigError, match="s3://bucket/files, no local disk .*set tracking"):
        place(TrainingConfig(), "s3://bucket/files")


def test_two_trainings_of_one_experiment(tmp_path):
    model = Folder(str(tmp_path / "model"))
    model.write("model.json", b"{}")
    training = Training("a training", {"width": 8, "long": "x" * 900}, {"as_of": "2024-03-01"}, FACTS, model)
    config = TrainingConfig(experiment="mine")
    runs = [record(training, config, str(tmp_path / "files")) for _ in range(2)]
    client = MlflowClient(f"sqlite:///{tmp_path}/files/mlflow/mlflow.db")
    one, other = (client.get_run(run) for run in runs)
    assert one.info.experiment_id == other.info.experiment_id == client.get_experiment_by_name("mine").experiment_id
    assert [(m.step, m.value) for m in client.get_metric_history(runs[0], "validation")] == [(2, 0.25)]
    assert len(one.data.params["long"]) == 500
    assert (tmp_path / "files/mlflow/artifacts" / runs[0] / "artifacts/model/model.json").exists()


def test_a_server_that_is_not_there_is_a_wrong_setting(tmp_path):
    training = Training("a training", {}, {}, FACTS, Folder(str(tmp_path)))
    with pytest.raises(ConfigError, match=r"MLflow at sqlite:////proc/.* refuses.*set tracking"):
        record(training, TrainingConfig(tracking="sqlite:////proc/none/mlflow.db"), str(tmp_path))


def test_curves_show_what_was_measured():
    figure = curves(FACTS)
    loss, validation = figure.axes
    assert loss.lines[0].get_ydata().tolist() == [2.0, 1.5]
    assert validation.lines[0].get_ydata()[1] == 0.25
    assert len(curves(FACTS | {"val": [None, None]}).axes) == 1


def test_a_folder_elsewhere_is_copied(tmp_path, monkeypatch):
    folder = Folder(str(tmp_path))
    folder.write("one", b"1")
    with local_copy(folder) as path:
        assert path == tmp_path
    monkeypatch.setattr("shoprec.training.tracking.local_path", lambda _: None)
    with local_copy(folder) as path:
        assert path != tmp_path
        assert [(entry.name, entry.read_bytes()) for entry in path.iterdir()] == [("one", b"1")]
