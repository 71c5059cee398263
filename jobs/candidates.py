"""candidates: each source proposes items of the catalogue to every user, one slice a source."""

from datetime import timedelta

from pyspark.sql import DataFrame

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
from shoprec.retrieval.inputs import Inputs, days_of, purchases_of, sent_back_of, users_with_seen
from shoprec.retrieval.offered import Offer, offer
from shoprec.reuse import holding, reused


def run(job: JobContext) -> None:
    """Write the slices of all sources of the settings, in one commit."""
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
        reused(days_of(purchases)) as days,
        reused(sent_back_of(interactions, items, job.as_of)) as sent_back,
        reused(users_with_seen(job.read(USER_INDEX), days)) as users,
        holding() as hold,
    ):
        late = job.as_of - timedelta(days=job.horizon)
        offered = _told(job, offer(items, listed, purchases, late))
        inputs = Inputs(purchases, days, users, items, offered, sent_back, job.as_of, hold)
        sources = job.settings.sources
        job.progress(f"asks {len(sources)} sources: {', '.join(sources)}")
        job.write(candidates(sources, inputs, drawn), CANDIDATES, source=list(sources))


def _told(job: JobContext, found: Offer) -> DataFrame:
    """The items that are offered; what is left out is told."""
    job.note(not_in_catalogue={"items": found.unlisted, "lines": found.late_unlisted, "proposed": not found.fits})
    what = (
        f"{found.unlisted:,} of {found.sold:,} items sold, {found.late_unlisted:,} of {found.late:,} purchase lines "
        f"of the last {job.horizon} days, are not in the catalogue of {job.as_of}"
    )
    if not found.fits:
        job.progress(
            f"warning: {what}: all are proposed, since it seems not to fit — compare the item_id of both, and see from "
            "when on the catalogue holds (valid_from) and was known (known_at)"
        )
    elif found.unlisted:
        job.progress(f"{what}, or have left it: not proposed")
    return found.items


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
