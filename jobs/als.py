"""als: implicit matrix factorisation; its embeddings stand in user_embeddings and item_embeddings."""

from pyspark.sql import DataFrame

from shoprec.contracts.gold import ITEM_EMBEDDINGS, ITEM_INDEX, SAMPLES, USER_EMBEDDINGS, USER_INDEX
from shoprec.job import Job, JobContext, cli
from shoprec.models.als.config import AlsConfig
from shoprec.models.als.model import fit
from shoprec.runs import latest_run
from shoprec.training.storage import Folder


def run(job: JobContext) -> None:
    """Fit on the samples and keep the factors."""
    folder = Folder(f"{job.files}/training/{job.run_id}/{job.as_of}/als")
    tables = job.read(SAMPLES), job.read(USER_INDEX), job.read(ITEM_INDEX)
    users, items = fit(*tables, job.settings, folder, job.seed, _earlier(job) if job.settings.warm_start else None)
    job.write(users, USER_EMBEDDINGS, model="als")
    job.write(items, ITEM_EMBEDDINGS, model="als")
    folder.delete("")


def _earlier(job: JobContext) -> tuple[DataFrame, DataFrame] | None:
    """The embeddings of the last run published for an earlier date."""
    last = latest_run(job.lake, before=job.as_of)
    if not last:
        job.progress("no run was published for an earlier date: the factors start at random")
        return None
    job.progress(f"the factors start from those of run {last['run_id']}, made for {last['as_of']}")
    where = {"run_id": last["run_id"], "as_of": last["as_of"], "model": "als"}
    users, items = job.read(USER_EMBEDDINGS, **where), job.read(ITEM_EMBEDDINGS, **where)
    return users.select("user_id", "vector"), items.select("item_id", "vector")


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
