"""item_index: the dense number, purchase lines and sampling probability of every item sold before the as-of date."""

from shoprec.contracts.gold import ITEM_INDEX
from shoprec.contracts.silver import INTERACTIONS
from shoprec.features.config import ItemIndexSettings
from shoprec.features.index import item_counts, item_index
from shoprec.features.lines import known_purchases
from shoprec.job import Job, JobContext, cli
from shoprec.reuse import reused


def run(job: JobContext) -> None:
    """Number the items with known purchases."""
    with reused(item_counts(known_purchases(job.read(INTERACTIONS), job.as_of))) as items:
        job.write(item_index(items, job.settings), ITEM_INDEX)


JOB = Job(
    name="item_index",
    about=__doc__,
    run=run,
    settings=ItemIndexSettings,
    reads=(INTERACTIONS,),
    writes=(ITEM_INDEX,),
)

if __name__ == "__main__":
    cli(JOB)
