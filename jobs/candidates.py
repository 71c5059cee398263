"""candidates: each source proposes items of the catalogue to every user, one slice a source."""

import time
from datetime import timedelta

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

#: A catalogue that lists less of what was bought lately is taken for one that does not fit.
LEAST_LISTED = 0.5


def run(job: JobContext) -> None:
    """Write one slice for each source of the settings."""
    items = job.read(ITEM_INDEX).select("item_id", "item_idx")
    drawn = Drawn(
        embeddings=lambda model: (job.read(USER_EMBEDDINGS, model=model), job.read(ITEM_EMBEDDINGS, model=model)),
        neighbours=lambda kind: job.read(ITEM_NEIGHBOURS, kind=kind),
    )
    interactions = job.read(INTERACTIONS)
    catalogue = in_force(job.read(ITEMS), job.as_of, "item_id")
    with (
        reused(items.join(catalogue, on="item_id", how="left_semi")) as listed,
        reused(purchases_of(interactions, items, job.as_of)) as purchases,
        reused(sent_back_of(interactions, items, job.as_of)) as sent_back,
        reused(users_with_seen(job.read(USER_INDEX), purchases)) as users,
    ):
        offered = _offered(job, items, listed, purchases)
        seconds = {}
        for name, source in job.settings.sources.items():
            started = time.monotonic()
            with holding() as hold:
                inputs = Inputs(purchases, users, items, offered, sent_back, job.as_of, hold)
                job.write(candidates(name, source, inputs, drawn), CANDIDATES, source=name)
            seconds[name] = round(time.monotonic() - started, 1)
            job.progress(f"{name} in {seconds[name]} s")
        job.note(seconds=seconds)


def _offered(job: JobContext, items: DataFrame, listed: DataFrame, purchases: DataFrame) -> DataFrame:
    """The items that the catalogue lists, or all where it does not fit what is being sold. What is left out is told."""
    late = F.col("day") >= F.lit(job.as_of - timedelta(days=job.horizon))
    ours = listed.select("item_idx", F.lit(True).alias("ours"))
    by_item = purchases.groupBy("item_idx").agg(F.count_if(late).alias("late")).join(ours, on="item_idx", how="left")
    unlisted = F.col("ours").isNull()
    counts = by_item.agg(
        F.count_if(unlisted).alias("items"),
        F.coalesce(F.sum(F.when(unlisted, F.col("late"))), F.lit(0)).alias("late"),
        F.count(F.lit(1)).alias("all_items"),
        F.coalesce(F.sum("late"), F.lit(0)).alias("all_late"),
    )
    out = counts.first().asDict()
    fits = out["items"] < out["all_items"] and out["late"] <= (1 - LEAST_LISTED) * out["all_late"]
    job.note(not_in_catalogue={"items": out["items"], "lines": out["late"], "proposed": not fits})
    what = (
        f"{out['items']:,} of {out['all_items']:,} items sold, {out['late']:,} of {out['all_late']:,} purchase lines "
        f"of the last {job.horizon} days, are not in the catalogue of {job.as_of}"
    )
    if not fits:
        job.progress(
            f"warning: {what}: all are proposed, since it seems not to fit — compare the item_id of both, and see from "
            "when on the catalogue holds (valid_from) and was known (known_at)"
        )
        return items
    if out["items"]:
        job.progress(f"{what}, or have left it: not proposed")
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
