"""prices: what each item costs in each market over time, from the shop's price lists or else from its purchases."""

from shoprec.cleaning.prices import prices_from_purchases
from shoprec.cleaning.versions import attributes, versions
from shoprec.contracts.silver import INTERACTIONS, PRICES, QUARANTINE, RECONCILIATION
from shoprec.intake.tables import accepted, map_table, settle
from shoprec.job import Job, JobContext, cli


def run(job: JobContext) -> None:
    """Make the prices of every item."""
    mapped = map_table(job.shop, PRICES, job.read_bronze)
    if mapped is None:
        # The truth of all dates is made here: not only what was known before this run's date.
        purchases = job.lake.read(INTERACTIONS)
        job.write(prices_from_purchases(purchases, job.shop.time_zone, job.shop.price_known_after), PRICES)
        return
    kept = versions(accepted(mapped), ["item_id", "market"], attributes(PRICES)).where("NOT _duplicate")
    job.write(kept.select(*PRICES.names), PRICES)
    for account in settle(job.shop, PRICES, mapped, kept, job.written[-1].rows, job.read_bronze, job.write):
        job.progress(str(account))


JOB = Job(name="prices", about=__doc__, run=run, reads=(INTERACTIONS,), writes=(PRICES, QUARANTINE, RECONCILIATION))

if __name__ == "__main__":
    cli(JOB)
