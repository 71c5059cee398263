"""two_tower: the job on a lake that holds the planted shop."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient

from shoprec.context import JobContext
from shoprec.contracts.gold import ITEM_EMBEDDINGS, SAMPLES, TEXT_EMBEDDINGS, USER_EMBEDDINGS
from shoprec.contracts.gold_runs import JOB_RUNS
from shoprec.job import load_job
from shoprec.lake import Lake
from shoprec.training.storage import Folder
from shoprec.training.weights import read_weights
from tests.models.two_tower.planted import ITEMS, TEXTS, USERS, planted, small
from tests.ready import make_ready
from tests.small_tables import add, filled, rows

AS_OF = date(2024, 3, 1)
RUN = {"as_of": AS_OF, "run_id": "run"}


@pytest.fixture
def job(lake: Lake, spark, tmp_path: Path) -> JobContext:
    two_tower = load_job("two_tower")
    make_ready(lake, (*two_tower.reads, *two_tower.writes))
    inputs = planted(spark)
    for table in two_tower.reads:
        slice_ = {name: value for name, value in RUN.items() if name in table.slice}
        add(lake, table, [filled(table, row) for row in getattr(inputs, table.name).toArrow().to_pylist()], **slice_)
    # Rows of another date and of another run are not this job's.
    samples = rows(lake, SAMPLES)
    for other in ({"as_of": date(2024, 2, 1)}, {"run_id": "other"}):
        add(lake, SAMPLES, samples, **other)
    # Another run encoded the same texts by words; this run's own choice is what counts.
    add(lake, TEXT_EMBEDDINGS, [{"encoder": "hashed", "text_hash": f"text{n}", "vector": [1.0]} for n in range(TEXTS)])
    add(lake, JOB_RUNS, [{"job": "text_embeddings", "detail": '{"encoder": "minilm"}'}], **RUN)
    told = SimpleNamespace(
        shop=SimpleNamespace(name="planted"),
        jobs={"two_tower": small(epochs=3)},
        seed=5,
        env=SimpleNamespace(files=str(tmp_path / "files")),
    )
    return JobContext(two_tower, told, lake, AS_OF, "run")


def test_it_writes_embeddings_weights_and_an_mlflow_run(job: JobContext, lake: Lake) -> None:
    job.job.run(job)
    for table, key, count in ((USER_EMBEDDINGS, "user_id", USERS), (ITEM_EMBEDDINGS, "item_id", ITEMS)):
        found = rows(lake, table, as_of=AS_OF, run_id="run", model="two_tower")
        assert len({row[key] for row in found}) == len(found) == count
        assert all(sum(x * x for x in row["vector"]) == pytest.approx(1, abs=1e-5) for row in found)
    facts = job.detail["training"]
    assert facts["epochs"] == [1, 2, 3]
    assert facts["samples"] < 900, "samples of other runs were read"
    assert (facts["ranks"], len(facts["loss"]), len(facts["val"])) == (1, 3, 3)

    model = Folder(f"{job.files}/models/two_tower/run/2024-03-01")
    assert read_weights(model, "model")[1]["sha256"] == job.detail["digests"][f"two_tower {job.as_of}"]
    mlflow = MlflowClient(f"sqlite:///{job.files}/mlflow/mlflow.db")
    run = mlflow.get_run(job.detail["mlflow_run"])
    assert run.info.status == "FINISHED"
    assert (run.data.params["width"], run.data.tags["sha256"]) == ("8", job.detail["digests"][f"two_tower {job.as_of}"])
    assert run.data.params["encoder"] == "minilm"
    losses = mlflow.get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.value) for m in losses] == list(zip([1, 2, 3], facts["loss"], strict=True))
    kept = {entry.path for folder in ("", "model") for entry in mlflow.list_artifacts(run.info.run_id, folder)}
    assert kept >= {"curves.png", "model/model.safetensors", "model/model.json"}
