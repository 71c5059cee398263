"""two_tower: user and item towers over ids, features and text, trained by Horovod; embeddings of all users, items."""

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
    inputs = Inputs(*(job.read(table) for table in TABLES))
    trained = fit(inputs, job.settings, Folder(f"{job.files}/training/{place}"), model, job.seed, job.progress)
    job.write(trained.users, USER_EMBEDDINGS, model="two_tower")
    job.write(trained.items, ITEM_EMBEDDINGS, model="two_tower")
    tags = {"run_id": job.run_id, "as_of": str(job.as_of), "shop": job.shop.name, "sha256": trained.facts["sha256"]}
    training = Training(f"two_tower {place}", job.settings.model_dump(), tags, trained.facts, model)
    job.note(
        training=trained.facts,
        digests={f"two_tower {job.as_of}": trained.facts["sha256"]},
        model=model.uri,
        mlflow_run=record(training, job.settings, job.files),
    )


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
