"""item_neighbours: items that the same users buy (similar) and that stand in the same baskets (bought_together).

With --at below 0, only the kinds that candidates.sources draws on."""

from shoprec.contracts.gold import ITEM_INDEX, ITEM_NEIGHBOURS
from shoprec.contracts.silver import INTERACTIONS
from shoprec.job import Job, JobContext, cli
from shoprec.models.item_knn.config import ItemNeighboursConfig
from shoprec.models.item_knn.model import bought_together, similar
from shoprec.retrieval.inputs import purchases_of
from shoprec.reuse import holding, reused

_FIND = {"similar": similar, "bought_together": bought_together}


def run(job: JobContext) -> None:
    """Find both kinds of neighbours; nobody reads an earlier date's but the candidates on which the ranker learns."""
    kinds = set(_FIND) if job.at >= 0 else job.config.jobs["candidates"].neighbour_kinds
    job.note(kinds=sorted(kinds))
    if left := sorted(set(_FIND) - kinds):
        job.progress(f"{', '.join(left)} not made for an earlier date: no source of candidates draws on it")
    items = job.read(ITEM_INDEX)
    with reused(purchases_of(job.read(INTERACTIONS), items, job.as_of)) as purchases:
        for kind in (kind for kind in _FIND if kind in kinds):
            with holding() as hold:
                job.write(_FIND[kind](purchases, items, job.settings, hold), ITEM_NEIGHBOURS, kind=kind)


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
