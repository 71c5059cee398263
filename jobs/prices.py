"""prices: what each item costs in each market over time, from the shop's price lists or else from its purchases."""

from functools import partial

from shoprec.cleaning.prices import prices_from_purchases
from shoprec.cleaning.versions import standing_versions
from shoprec.contracts.silver import INTERACTIONS, PRICES, QUARANTINE, RECONCILIATION
from shoprec.intake.tables import take_in
from shoprec.job import Job, JobContext, cli
from shoprec.reuse import reused


def run(job: JobContext) -> None:
    """Make the prices of every item."""
    if take_in(job, PRICES, partial(standing_versions, table=PRICES)):
        return
    # The truth of all dates is made here: not only what was known before this run's date.
    purchases = job.read_all(INTERACTIONS)
    with reused(prices_from_purchases(purchases, job.shop.time_zone, job.shop.price_known_after)) as prices:
        job.write(prices, PRICES)


JOB = Job(name="prices", about=__doc__, run=run, reads=(INTERACTIONS,), writes=(PRICES, QUARANTINE, RECONCILIATION))

if __name__ == "__main__":
    cli(JOB)
