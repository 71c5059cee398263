"""als: implicit matrix factorisation by Spark ML; its embeddings stand in user_embeddings and item_embeddings."""

from shoprec.contracts.gold import ITEM_EMBEDDINGS, ITEM_INDEX, SAMPLES, USER_EMBEDDINGS, USER_INDEX
from shoprec.job import Job, JobContext, cli
from shoprec.models.als.config import AlsConfig
from shoprec.models.als.model import fit


def run(job: JobContext) -> None:
    """Fit on the samples and keep the factors."""
    users, items = fit(job.read(SAMPLES), job.read(USER_INDEX), job.read(ITEM_INDEX), job.settings, job.seed)
    job.write(users, USER_EMBEDDINGS, model="als")
    job.write(items, ITEM_EMBEDDINGS, model="als")


JOB = Job(
    name="als",
    about=__doc__,
    run=run,
    settings=AlsConfig,
    reads=(SAMPLES, USER_INDEX, ITEM_INDEX),
    writes=(USER_EMBEDDINGS, ITEM_EMBEDDINGS),
)

if __name__ == "__main__":
    cli(JOB)
