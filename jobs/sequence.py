"""sequence: what comes next in a user's history, read in its order; embeddings of all users with purchases, and items.

Made only where candidates.sources draws on it."""

from shoprec.contracts.gold import (
    ITEM_EMBEDDINGS,
    ITEM_FEATURES,
    ITEM_INDEX,
    TEXT_EMBEDDINGS,
    USER_EMBEDDINGS,
    USER_INDEX,
)
from shoprec.contracts.silver import INTERACTIONS
from shoprec.job import Job, JobContext, cli
from shoprec.models.sequence.config import SequenceConfig
from shoprec.models.sequence.data import Inputs
from shoprec.models.sequence.fit import fit
from shoprec.retrieval.inputs import purchases_of
from shoprec.reuse import reused
from shoprec.trainings import drawn_on, encoder_of, keep


def run(job: JobContext) -> None:
    """Read, train, write; the training goes to MLflow."""
    if not drawn_on(job):
        return
    settings = job.settings.model_copy(update={"encoder": encoder_of(job)})
    users, items, features, texts = (job.read(t) for t in (USER_INDEX, ITEM_INDEX, ITEM_FEATURES, TEXT_EMBEDDINGS))
    with reused(purchases_of(job.read(INTERACTIONS), items, job.as_of)) as purchases:
        inputs = Inputs(purchases, users, items, features, texts)
        keep(job, settings, lambda places: fit(inputs, settings, places, job.seed, job.progress))


JOB = Job(
    name="sequence",
    about=__doc__,
    run=run,
    settings=SequenceConfig,
    reads=(INTERACTIONS, USER_INDEX, ITEM_INDEX, ITEM_FEATURES, TEXT_EMBEDDINGS),
    writes=(USER_EMBEDDINGS, ITEM_EMBEDDINGS),
)

if __name__ == "__main__":
    cli(JOB)
