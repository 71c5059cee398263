"""two_tower: user and item towers over ids, features and text, trained by Horovod; embeddings of all users, items."""

import json

from shoprec.contracts.gold import (
    ITEM_EMBEDDINGS,
    ITEM_FEATURES,
    ITEM_INDEX,
    SAMPLES,
    TEXT_EMBEDDINGS,
    USER_EMBEDDINGS,
    USER_INDEX,
    USER_PROFILES,
)
from shoprec.contracts.gold_runs import JOB_RUNS
from shoprec.job import Job, JobContext, cli
from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.models.two_tower.data import Inputs
from shoprec.models.two_tower.fit import fit
from shoprec.training.storage import Folder
from shoprec.training.tracking import Training, record

TABLES = (SAMPLES, USER_INDEX, ITEM_INDEX, USER_PROFILES, ITEM_FEATURES, TEXT_EMBEDDINGS)


def run(job: JobContext) -> None:
    """Read, train, write; the training goes to MLflow."""
    place = f"{job.run_id}/{job.as_of}"
    model = Folder(f"{job.files}/models/two_tower/{place}")
    inputs, settings = Inputs(*(job.read(table) for table in TABLES)), _settings(job)
    trained = fit(inputs, settings, Folder(f"{job.files}/training/{place}"), model, job.seed, job.progress)
    job.write(trained.users, USER_EMBEDDINGS, model="two_tower")
    job.write(trained.items, ITEM_EMBEDDINGS, model="two_tower")
    tags = {"run_id": job.run_id, "as_of": str(job.as_of), "shop": job.shop.name, "sha256": trained.facts["sha256"]}
    training = Training(f"two_tower {place}", settings.model_dump(), tags, trained.facts, model)
    job.note(
        training=trained.facts,
        digests={f"two_tower {job.as_of}": trained.facts["sha256"]},
        model=model.uri,
        mlflow_run=record(training, settings, job.files),
    )


def _settings(job: JobContext) -> TwoTowerConfig:
    """The settings; where they name no encoder of texts, with the one that this run's text_embeddings chose.

    The vectors of other runs lie beside its own, perhaps by another encoder.
    """
    if job.settings.encoder:
        return job.settings
    ended = job.lake.read(JOB_RUNS, run_id=job.run_id, job="text_embeddings").select("as_of", "detail").collect()
    if not ended:
        return job.settings
    told = json.loads(max(ended, key=lambda row: row["as_of"])["detail"])
    return job.settings.model_copy(update={"encoder": told.get("encoder", "")})


JOB = Job(
    name="two_tower",
    about=__doc__,
    run=run,
    settings=TwoTowerConfig,
    reads=TABLES,
    writes=(USER_EMBEDDINGS, ITEM_EMBEDDINGS),
)

if __name__ == "__main__":
    cli(JOB)
