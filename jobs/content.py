"""content: texts of what a user met last; embeddings of items with a text, and of users who met some.

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
from shoprec.models.content.config import ContentConfig
from shoprec.models.content.model import fitted
from shoprec.retrieval.inputs import purchases_of
from shoprec.reuse import reused
from shoprec.trainings import drawn_on, encoder_of


def run(job: JobContext) -> None:
    """Sum up each user's texts."""
    if not drawn_on(job):
        return
    settings = job.settings.model_copy(update={"encoder": encoder_of(job)})
    items, texts = job.read(ITEM_INDEX), (job.read(ITEM_FEATURES), job.read(TEXT_EMBEDDINGS))
    with reused(purchases_of(job.read(INTERACTIONS), items, job.as_of)) as purchases:
        users, vectors = fitted(purchases, items, *texts, settings, job.read(USER_INDEX).count())
        with reused(users) as users:
            if users.isEmpty():
                job.progress("not made: no user met an item with a text, so that the source proposes nothing")
                return
            job.write(users, USER_EMBEDDINGS, model="content")
            job.write(vectors, ITEM_EMBEDDINGS, model="content")


JOB = Job(
    name="content",
    about=__doc__,
    run=run,
    settings=ContentConfig,
    reads=(INTERACTIONS, USER_INDEX, ITEM_INDEX, ITEM_FEATURES, TEXT_EMBEDDINGS),
    writes=(USER_EMBEDDINGS, ITEM_EMBEDDINGS),
)

if __name__ == "__main__":
    cli(JOB)
