"""interactions: the shop's events in our words: mapped, typed, one row a version, refused rows in quarantine."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.cleaning.events import touched_months, versions_of_events
from shoprec.cleaning.repeated import split
from shoprec.contracts.silver import INTERACTIONS, QUARANTINE, RECONCILIATION
from shoprec.intake.tables import accepted, map_table, mapping_digest, settle
from shoprec.job import Job, JobContext, cli


def run(job: JobContext) -> None:
    """Write the months that changed since this job ran before; all of them when the mapping did, or it never ran."""
    mapped = map_table(job.shop, INTERACTIONS, job.read_bronze)
    with split(accepted(mapped), "event_key") as parts:
        events = versions_of_events(*parts)
        kept = events.where("NOT _duplicate")
        months = _months(job, events)
        job.progress(f"{len(months)} months to write")
        if months:
            rows = kept.where(F.col("month").isin(months)).withColumnRenamed("_dataset", "source")
            job.write(rows.select(*INTERACTIONS.names), INTERACTIONS, month=months)
        standing = job.lake.read(INTERACTIONS).count()
        for account in settle(job.shop, INTERACTIONS, mapped, kept, standing, job.read_bronze, job.write):
            job.progress(str(account))


def _months(job: JobContext, events: DataFrame) -> list[str]:
    """The months to write, in order: as many as the data spans."""
    before = job.lake.read(RECONCILIATION, table=INTERACTIONS.name).select("dataset", "taken_in", "mapping").collect()
    digest = mapping_digest(job.shop, INTERACTIONS, job.read_bronze)
    if before and {row["mapping"] for row in before} == {digest}:
        taken_in = job.spark.createDataFrame(
            [(row["dataset"], row["taken_in"]) for row in before], "_dataset string, _taken_in long"
        )
        months = touched_months(events, taken_in)
    else:
        there = job.lake.read(INTERACTIONS).select("month")
        months = events.select("month").union(there).distinct()
    return sorted(row["month"] for row in months.collect())


JOB = Job(name="interactions", about=__doc__, run=run, writes=(INTERACTIONS, QUARANTINE, RECONCILIATION))

if __name__ == "__main__":
    cli(JOB)
