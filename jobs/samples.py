"""samples: what each user chose, weighted by type of event and age, for training."""

from shoprec.contracts.gold import ITEM_INDEX, SAMPLES, USER_INDEX
from shoprec.contracts.silver import INTERACTIONS
from shoprec.job import Job, JobContext, cli
from shoprec.samples.config import SampleSettings
from shoprec.samples.positives import positives


def run(job: JobContext) -> None:
    """Sum up the events of each user and item."""
    events, users, items = job.read(INTERACTIONS), job.read(USER_INDEX), job.read(ITEM_INDEX)
    job.write(positives(events, users, items, job.as_of, job.settings), SAMPLES, origin="observed")


JOB = Job(
    name="samples",
    about=__doc__,
    run=run,
    settings=SampleSettings,
    reads=(INTERACTIONS, USER_INDEX, ITEM_INDEX),
    writes=(SAMPLES,),
)

if __name__ == "__main__":
    cli(JOB)
