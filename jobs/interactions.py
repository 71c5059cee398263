"""interactions: the shop's events in our words: mapped, typed, one row a version, refused rows in quarantine."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.cleaning.events import touched_months, versions_of_events
from shoprec.cleaning.repeated import split
from shoprec.contracts.silver import INTERACTIONS, QUARANTINE, RECONCILIATION
from shoprec.intake.tables import accepted, computable, map_table, refused, settle, taken_in_before
from shoprec.job import Job, JobContext, cli
from shoprec.reuse import reused


def run(job: JobContext) -> None:
    """Write the months that changed since this job ran before; all of them when the mapping did, or it never ran."""
    mapped = map_table(job.shop, INTERACTIONS, job.read_bronze)
    with computable(job.shop, INTERACTIONS), reused(mapped) as judged:
        with split(accepted(judged), "event_key") as parts:
            events = versions_of_events(*parts)
            months = _months(job, events)
            job.progress(f"{len(months)} months to write")
            if months:
                rows = events.where(F.col("month").isin(months) & ~F.col("_duplicate"))
                kept = rows.withColumnRenamed("_dataset", "source").select(*INTERACTIONS.names)
                job.write(kept, INTERACTIONS, month=months)
        standing = job.lake.read(INTERACTIONS).groupBy("source").count().collect()
        settle(job, INTERACTIONS, judged, refused(judged), {row["source"]: row["count"] for row in standing})
    # Refuses a date before any data here, not when the first job that needs some comes to its turn.
    job.read(INTERACTIONS)


def _months(job: JobContext, events: DataFrame) -> list[str]:
    """The months to write, in order: as many as the data spans."""
    before = taken_in_before(job, INTERACTIONS)
    if before is None:
        there = job.lake.read(INTERACTIONS).select("month")
        months = events.select("month").union(there).distinct()
    else:
        taken_in = job.spark.createDataFrame(list(before.items()), "_dataset string, _taken_in long")
        months = touched_months(events, taken_in)
    return sorted(row["month"] for row in months.collect())


JOB = Job(name="interactions", about=__doc__, run=run, writes=(INTERACTIONS, QUARANTINE, RECONCILIATION))

if __name__ == "__main__":
    cli(JOB)
