"""user_index: the dense number, home market and purchase lines of every user known before the as-of date."""

from shoprec.contracts.gold import USER_INDEX
from shoprec.contracts.silver import INTERACTIONS
from shoprec.features.config import IndexSettings
from shoprec.features.index import user_counts, user_index
from shoprec.features.lines import known_purchases
from shoprec.job import Job, JobContext, cli
from shoprec.reuse import reused


def run(job: JobContext) -> None:
    """Number the users with known purchases."""
    with reused(user_counts(known_purchases(job.read(INTERACTIONS), job.as_of))) as users:
        job.write(user_index(users, job.settings), USER_INDEX)


JOB = Job(
    name="user_index",
    about=__doc__,
    run=run,
    settings=IndexSettings,
    reads=(INTERACTIONS,),
    writes=(USER_INDEX,),
)

if __name__ == "__main__":
    cli(JOB)
