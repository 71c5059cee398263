"""items: what is known of each item over time, from the shop's datasets; refused rows in quarantine."""

from shoprec.cleaning.versions import attributes, versions
from shoprec.contracts.silver import ITEMS, QUARANTINE, RECONCILIATION
from shoprec.intake.tables import accepted, map_table, settle
from shoprec.job import Job, JobContext, cli


def run(job: JobContext) -> None:
    """Make the versions of every item."""
    mapped = map_table(job.shop, ITEMS, job.read_bronze)
    kept = versions(accepted(mapped), ["item_id"], attributes(ITEMS)).where("NOT _duplicate")
    job.write(kept.select(*ITEMS.names), ITEMS)
    for account in settle(job.shop, ITEMS, mapped, kept, job.written[-1].rows, job.read_bronze, job.write):
        job.progress(str(account))


JOB = Job(name="items", about=__doc__, run=run, writes=(ITEMS, QUARANTINE, RECONCILIATION))

if __name__ == "__main__":
    cli(JOB)
