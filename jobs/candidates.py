"""candidates: each source proposes items of the catalogue to every user, one slice a source."""

import time

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.cleaning.versions import in_force
from shoprec.contracts.gold import (
    CANDIDATES,
    ITEM_EMBEDDINGS,
    ITEM_INDEX,
    ITEM_NEIGHBOURS,
    USER_EMBEDDINGS,
    USER_INDEX,
)
from shoprec.contracts.silver import INTERACTIONS, ITEMS
from shoprec.job import Job, JobContext, cli
from shoprec.models.sources import CandidatesConfig, Drawn, candidates
from shoprec.retrieval.inputs import Inputs, purchases_of, sent_back_of, users_with_seen
from shoprec.reuse import holding, reused


def run(job: JobContext) -> None:
    """Write one slice for each source of the settings."""
    sold = job.read(ITEM_INDEX)
    items = sold.select("item_id", "item_idx")
    drawn = Drawn(
        embeddings=lambda model: (job.read(USER_EMBEDDINGS, model=model), job.read(ITEM_EMBEDDINGS, model=model)),
        neighbours=lambda kind: job.read(ITEM_NEIGHBOURS, kind=kind),
    )
    interactions = job.read(INTERACTIONS)
    catalogue = in_force(job.read(ITEMS), job.lake.read(ITEMS), job.as_of, "item_id")
    with (
        reused(sold.join(catalogue, on="item_id", how="left_semi")) as listed,
        reused(purchases_of(interactions, items, job.as_of)) as purchases,
        reused(sent_back_of(interactions, items, job.as_of)) as sent_back,
        reused(users_with_seen(job.read(USER_INDEX), purchases)) as users,
    ):
        offered = _offered(job, sold, listed).select("item_id", "item_idx")
        seconds = {}
        for name, source in job.settings.sources.items():
            started = time.monotonic()
            with holding() as hold:
                inputs = Inputs(purchases, users, items, offered, sent_back, job.as_of, hold)
                job.write(candidates(name, source, inputs, drawn), CANDIDATES, source=name)
            seconds[name] = round(time.monotonic() - started, 1)
            job.progress(f"{name} in {seconds[name]} s")
        job.note(seconds=seconds)


def _offered(job: JobContext, sold: DataFrame, listed: DataFrame) -> DataFrame:
    """The items that the catalogue lists; all that were sold where it lists none of them. What is left out is told."""
    counts = F.count(F.lit(1)).alias("items"), F.coalesce(F.sum("interactions"), F.lit(0)).alias("lines")
    all_, ours = sold.agg(*counts).first(), listed.agg(*counts).first()
    apart = {name: all_[name] - ours[name] for name in ("items", "lines")}
    job.note(not_in_catalogue=apart)
    what = f"{apart['items']:,} of {all_['items']:,} items sold, {apart['lines']:,} of {all_['lines']:,} purchase lines"
    if not ours["items"]:
        job.progress(f"warning: the catalogue known by {job.as_of} lists none of the {what}: all are proposed")
        return sold
    if apart["items"]:
        job.progress(f"{what}, are not in the catalogue known by {job.as_of}, or have left it: not proposed")
    return listed


JOB = Job(
    name="candidates",
    about=__doc__,
    run=run,
    settings=CandidatesConfig,
    reads=(INTERACTIONS, ITEMS, USER_INDEX, ITEM_INDEX, USER_EMBEDDINGS, ITEM_EMBEDDINGS, ITEM_NEIGHBOURS),
    writes=(CANDIDATES,),
)

if __name__ == "__main__":
    cli(JOB)
