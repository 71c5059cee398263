"""item_neighbours: items that the same users buy (similar), that stand in the same baskets (bought_together), that
follow each other (co_visit), and that speak for each other among all that a user has (linear).

The last two, and with --at below 0 every kind, only where candidates.sources draws on it."""

from pyspark.sql import DataFrame

from shoprec.contracts.gold import ITEM_INDEX, ITEM_NEIGHBOURS, NEIGHBOUR_KINDS
from shoprec.contracts.silver import INTERACTIONS
from shoprec.job import Job, JobContext, cli
from shoprec.models.co_visit.model import followed
from shoprec.models.item_knn.config import ItemNeighboursConfig
from shoprec.models.item_knn.model import bought_together, similar
from shoprec.models.linear.model import foretold
from shoprec.retrieval.inputs import purchases_of
from shoprec.reuse import Hold, holding, reused

_ALWAYS = {"similar", "bought_together"}


def run(job: JobContext) -> None:
    """Find all kinds of neighbours; nobody reads an earlier date's but the candidates on which the ranker learns."""
    drawn_on = job.config.jobs["candidates"].neighbour_kinds
    kinds = drawn_on if job.at < 0 else drawn_on | _ALWAYS
    job.note(kinds=sorted(kinds))
    if left := sorted(_ALWAYS - kinds):
        job.progress(f"{', '.join(left)} not made for an earlier date: no source of candidates draws on it")
    items = job.read(ITEM_INDEX)
    with reused(purchases_of(job.read(INTERACTIONS), items, job.as_of)) as purchases:
        for kind in (kind for kind in NEIGHBOUR_KINDS if kind in kinds):
            with holding() as hold:
                job.write(_found(kind, purchases, items, job.settings, hold), ITEM_NEIGHBOURS, kind=kind)


def _found(kind: str, purchases: DataFrame, items: DataFrame, settings: ItemNeighboursConfig, hold: Hold) -> DataFrame:
    if kind == "co_visit":
        return followed(purchases, items, settings.co_visit)
    if kind == "linear":
        return foretold(purchases, items, settings.linear)
    return {"similar": similar, "bought_together": bought_together}[kind](purchases, items, settings, hold)


JOB = Job(
    name="item_neighbours",
    about=__doc__,
    run=run,
    settings=ItemNeighboursConfig,
    reads=(INTERACTIONS, ITEM_INDEX),
    writes=(ITEM_NEIGHBOURS,),
)

if __name__ == "__main__":
    cli(JOB)
