"""items: what is known of each item over time, from the shop's datasets; refused rows in quarantine."""

from functools import partial

from shoprec.cleaning.versions import standing_versions
from shoprec.contracts.silver import ITEMS, QUARANTINE, RECONCILIATION
from shoprec.intake.tables import take_in
from shoprec.job import Job, JobContext, cli


def run(job: JobContext) -> None:
    """Make the versions of every item."""
    take_in(job, ITEMS, partial(standing_versions, table=ITEMS))


JOB = Job(name="items", about=__doc__, run=run, writes=(ITEMS, QUARANTINE, RECONCILIATION))

if __name__ == "__main__":
    cli(JOB)
