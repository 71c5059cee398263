"""users: what is known of each user over time, from the shop's datasets; refused rows in quarantine."""

from functools import partial

from shoprec.cleaning.versions import standing_versions
from shoprec.contracts.silver import QUARANTINE, RECONCILIATION, USERS
from shoprec.intake.tables import empty, take_in
from shoprec.job import Job, JobContext, cli


def run(job: JobContext) -> None:
    """Make the versions of every user."""
    if not take_in(job, USERS, partial(standing_versions, table=USERS)):
        empty(job, USERS)
        job.progress("the shop says nothing of its users")


JOB = Job(name="users", about=__doc__, run=run, writes=(USERS, QUARANTINE, RECONCILIATION))

if __name__ == "__main__":
    cli(JOB)
