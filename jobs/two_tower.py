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
from shoprec.trainings import encoder_of, keep

TABLES = (SAMPLES, USER_INDEX, ITEM_INDEX, USER_PROFILES, ITEM_FEATURES, TEXT_EMBEDDINGS)


def run(job: JobContext) -> None:
    """Read, train, write; the training goes to MLflow."""
    settings = job.settings.model_copy(update={"encoder": encoder_of(job)})
    inputs = Inputs(*(job.read(table) for table in TABLES))
    keep(job, settings, lambda places: fit(inputs, settings, places, job.seed, job.progress))


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
