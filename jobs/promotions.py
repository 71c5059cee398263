"""promotions: displays, mailers and coupon campaigns, one row for each item, place and time."""

from shoprec.cleaning.promotions import promotions
from shoprec.contracts.silver import PROMOTION_KINDS, PROMOTIONS, QUARANTINE, RECONCILIATION
from shoprec.intake.tables import empty, take_in
from shoprec.job import Job, JobContext, cli


def run(job: JobContext) -> None:
    """Make the promotions of every kind."""
    if not take_in(job, PROMOTIONS, promotions, ordered=False, kind=list(PROMOTION_KINDS)):
        empty(job, PROMOTIONS, kind=list(PROMOTION_KINDS))
        job.progress("the shop says nothing of promotions")


JOB = Job(name="promotions", about=__doc__, run=run, writes=(PROMOTIONS, QUARANTINE, RECONCILIATION))

if __name__ == "__main__":
    cli(JOB)
