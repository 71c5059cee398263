"""promotions: displays, mailers and coupon campaigns, one row for each item, place and time."""

from shoprec.cleaning.promotions import KEY, one_for_each_key
from shoprec.cleaning.repeated import split
from shoprec.contracts.silver import PROMOTION_KINDS, PROMOTIONS, QUARANTINE, RECONCILIATION
from shoprec.intake.tables import accepted, map_table, settle
from shoprec.job import Job, JobContext, cli


def run(job: JobContext) -> None:
    """Make the promotions of every kind."""
    mapped = map_table(job.shop, PROMOTIONS, job.read_bronze)
    if mapped is None:
        job.progress("the shop says nothing of promotions")
        return
    with split(accepted(mapped), *KEY) as parts:
        kept = one_for_each_key(*parts)
        job.write(kept.select(*PROMOTIONS.names), PROMOTIONS, kind=list(PROMOTION_KINDS))
        for account in settle(job.shop, PROMOTIONS, mapped, kept, job.written[-1].rows, job.read_bronze, job.write):
            job.progress(str(account))


JOB = Job(name="promotions", about=__doc__, run=run, writes=(PROMOTIONS, QUARANTINE, RECONCILIATION))

if __name__ == "__main__":
    cli(JOB)
