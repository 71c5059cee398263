"""users: what is known of each user over time, from the shop's datasets; refused rows in quarantine."""

from shoprec.cleaning.versions import attributes, versions
from shoprec.contracts.silver import QUARANTINE, RECONCILIATION, USERS
from shoprec.intake.tables import accepted, map_table, settle
from shoprec.job import Job, JobContext, cli


def run(job: JobContext) -> None:
    """Make the versions of every user."""
    mapped = map_table(job.shop, USERS, job.read_bronze)
    if mapped is None:
        job.progress("the shop says nothing of its users")
        return
    kept = versions(accepted(mapped), ["user_id"], attributes(USERS)).where("NOT _duplicate")
    job.write(kept.select(*USERS.names), USERS)
    for account in settle(job.shop, USERS, mapped, kept, job.written[-1].rows, job.read_bronze, job.write):
        job.progress(str(account))


JOB = Job(name="users", about=__doc__, run=run, writes=(USERS, QUARANTINE, RECONCILIATION))

if __name__ == "__main__":
    cli(JOB)
