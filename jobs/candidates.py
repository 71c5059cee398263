"""candidates: each source proposes items to every user, one slice a source."""

import time

from shoprec.contracts.gold import (
    CANDIDATES,
    ITEM_EMBEDDINGS,
    ITEM_INDEX,
    ITEM_NEIGHBOURS,
    USER_EMBEDDINGS,
    USER_INDEX,
)
from shoprec.contracts.silver import INTERACTIONS
from shoprec.job import Job, JobContext, cli
from shoprec.models.sources import CandidatesConfig, Drawn, candidates
from shoprec.retrieval.inputs import Inputs, purchases_of, sent_back_of, users_with_seen
from shoprec.reuse import holding, reused


def run(job: JobContext) -> None:
    """Write one slice for each source of the settings."""
    items = job.read(ITEM_INDEX).select("item_id", "item_idx")
    drawn = Drawn(
        embeddings=lambda model: (job.read(USER_EMBEDDINGS, model=model), job.read(ITEM_EMBEDDINGS, model=model)),
        neighbours=lambda kind: job.read(ITEM_NEIGHBOURS, kind=kind),
    )
    interactions = job.read(INTERACTIONS)
    with (
        reused(purchases_of(interactions, items, job.as_of)) as purchases,
        reused(sent_back_of(interactions, items, job.as_of)) as sent_back,
        reused(users_with_seen(job.read(USER_INDEX), purchases)) as users,
    ):
        seconds = {}
        for name, source in job.settings.sources.items():
            started = time.monotonic()
            with holding() as hold:
                inputs = Inputs(purchases, users, items, job.as_of, hold, sent_back)
                job.write(candidates(name, source, inputs, drawn), CANDIDATES, source=name)
            seconds[name] = round(time.monotonic() - started, 1)
            job.progress(f"{name} in {seconds[name]} s")
        job.note(seconds=seconds)


JOB = Job(
    name="candidates",
    about=__doc__,
    run=run,
    settings=CandidatesConfig,
    reads=(INTERACTIONS, USER_INDEX, ITEM_INDEX, USER_EMBEDDINGS, ITEM_EMBEDDINGS, ITEM_NEIGHBOURS),
    writes=(CANDIDATES,),
)

if __name__ == "__main__":
    cli(JOB)
