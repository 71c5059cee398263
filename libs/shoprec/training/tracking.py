"""Records trainings in MLflow: settings, curves, a plot, the model's files. Nothing else imports mlflow."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from matplotlib.figure import Figure

from shoprec.errors import ConfigError
from shoprec.places import local_path
from shoprec.training.config import TrainingConfig
from shoprec.training.storage import Folder

# MLflow looks at it when it is imported: nothing about a shop's trainings leaves by itself.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

# It tells of each table that it makes in SQLite.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)

#: Longest value of a parameter.
LONGEST = 500

#: Two jobs of one process that make the same SQLite file at once: one of them finds half of its tables.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Training:
    """One training to record. ``facts``: see shoprec.training.loop.facts_of; ``model``: folder of the weights."""

    name: str
    settings: Mapping[str, Any]
    tags: Mapping[str, str]
    facts: Mapping[str, Any]
    model: Folder


def record(training: Training, config: TrainingConfig, files: str) -> str:
    """Record a training that has ended.

    :param files: where SQLite and artifacts go when no tracking URI is set
    :returns: the id of the MLflow run
    :raises ConfigError: no tracking URI is set and ``files`` is not on a local disk; or MLflow refuses
    """
    uri, artifacts = place(config, files)
    with _ONE_AT_A_TIME:
        return _record(training, config, uri, artifacts)


def _record(training: Training, config: TrainingConfig, uri: str, artifacts: str | None) -> str:
    try:
        client = MlflowClient(tracking_uri=uri)
        run = client.create_run(_experiment(client, config.experiment, artifacts), run_name=training.name)
        run_id = run.info.run_id
        now = int(time.time() * 1000)
        client.log_batch(
            run_id,
            metrics=_metrics(training.facts, now),
            params=[Param(key, str(value)[:LONGEST]) for key, value in sorted(training.settings.items())],
            tags=[RunTag(key, str(value)) for key, value in sorted(training.tags.items())],
        )
        client.log_figure(run_id, curves(training.facts), "curves.png")
        with local_copy(training.model) as folder:
            client.log_artifacts(run_id, str(folder), "model")
        client.set_terminated(run_id)
    except (MlflowException, OSError) as error:
        raise ConfigError(f"MLflow at {uri} refuses: {error} — set tracking, or experiment") from error
    return run_id


def place(config: TrainingConfig, files: str) -> tuple[str, str | None]:
    """The tracking URI, and where a new experiment's artifacts go (None: where the server says)."""
    if config.tracking:
        return config.tracking, None
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return os.environ["MLFLOW_TRACKING_URI"], None
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return "databricks", None
    local = local_path(files)
    if local is None:
        raise ConfigError(f"files is {files}, no local disk for MLflow's SQLite: set tracking, or MLFLOW_TRACKING_URI")
    folder = local.absolute() / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()


def curves(facts: Mapping[str, Any]) -> Figure:
    """Loss and validation figure by epoch."""
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(facts["epochs"], facts["loss"], marker="o", color="tab:blue", label="loss")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if any(value is not None for value in facts["val"]):
        other = axes.twinx()
        other.plot(facts["epochs"], facts["val"], marker="s", color="tab:orange", label="validation")
        other.set_ylabel("held-out pairs found, share")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@contextmanager
def local_copy(folder: Folder) -> Iterator[Path]:
    """The folder itself where it is local, else a temporary copy of its files."""
    local = local_path(folder.uri)
    if local is not None:
        yield local
        return
    with TemporaryDirectory() as copy:
        for name in folder.files():
            (Path(copy) / name).write_bytes(folder.read(name))
        yield Path(copy)


def _experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    try:
        return client.create_experiment(name, artifact_location=artifacts)
    except MlflowException:
        # Another process made it in between.
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return found.experiment_id


def _metrics(facts: Mapping[str, Any], now: int) -> list[Metric]:
    metrics = [
        Metric(name, float(value), now, epoch)
        for name, values in (("loss", facts["loss"]), ("validation", facts["val"]))
        for epoch, value in zip(facts["epochs"], values, strict=True)
        if value is not None
    ]
    last = facts["epochs"][-1]
    return [*metrics, Metric("samples_per_second", float(facts["samples_per_second"]), now, last)]
