"""spectral: the strongest directions of who chose what; embeddings in user_embeddings and item_embeddings."""

from shoprec.contracts.gold import ITEM_EMBEDDINGS, ITEM_INDEX, SAMPLES, USER_EMBEDDINGS, USER_INDEX
from shoprec.job import Job, JobContext, cli
from shoprec.models.spectral.config import SpectralConfig
from shoprec.models.spectral.model import fitted


def run(job: JobContext) -> None:
    """Decompose the samples and keep both sides' vectors."""
    tables = job.read(SAMPLES), job.read(USER_INDEX), job.read(ITEM_INDEX)
    with fitted(*tables, job.settings, job.seed) as (users, items):
        job.write(users, USER_EMBEDDINGS, model="spectral")
        job.write(items, ITEM_EMBEDDINGS, model="spectral")


JOB = Job(
    name="spectral",
    about=__doc__,
    run=run,
    settings=SpectralConfig,
    reads=(SAMPLES, USER_INDEX, ITEM_INDEX),
    writes=(USER_EMBEDDINGS, ITEM_EMBEDDINGS),
)

if __name__ == "__main__":
    cli(JOB)
