"""als: implicit matrix factorisation; its embeddings stand in user_embeddings and item_embeddings."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.contracts.gold import ITEM_EMBEDDINGS, ITEM_INDEX, SAMPLES, USER_EMBEDDINGS, USER_INDEX
from shoprec.errors import ConfigError
from shoprec.job import Job, JobContext, cli
from shoprec.models.als.config import AlsConfig
from shoprec.models.als.model import fit
from shoprec.runs import latest_run
from shoprec.training.storage import Folder


def run(job: JobContext) -> None:
    """Fit on the samples and keep the factors."""
    folder = Folder(f"{job.files}/training/{job.run_id}/{job.as_of}/als")
    tables = job.read(SAMPLES), job.read(USER_INDEX), job.read(ITEM_INDEX)
    start = _earlier(job) if job.settings.warm_start else None
    try:
        users, items = fit(*tables, job.settings, folder, job.seed, start)
        job.write(users, USER_EMBEDDINGS, model="als")
        job.write(items, ITEM_EMBEDDINGS, model="als")
    finally:
        folder.delete("")


def _earlier(job: JobContext) -> tuple[DataFrame, DataFrame] | None:
    """The embeddings of the last run published for an earlier date; None where there are none.

    :raises ConfigError: they are of another rank
    """
    last = latest_run(job.lake, before=job.as_of)
    where = {"run_id": last["run_id"], "as_of": last["as_of"], "model": "als"} if last else {}
    sides = [job.read(table, **where) for table in (USER_EMBEDDINGS, ITEM_EMBEDDINGS)] if last else []
    one = sides[0].select(F.size("vector").alias("width")).first() if sides else None
    if one is None:
        job.progress("no run with als was published for an earlier date: the factors start at random")
        return None
    if one["width"] != job.settings.rank:
        raise ConfigError(
            f"the factors of run {last['run_id']}, made for {last['as_of']}, are {one['width']} wide, als.rank is "
            f"{job.settings.rank} — set als.warm_start=false for this run"
        )
    job.progress(f"the factors start from those of run {last['run_id']}, made for {last['as_of']}")
    job.note(started_from={"run_id": last["run_id"], "as_of": str(last["as_of"])})
    users, items = sides
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
