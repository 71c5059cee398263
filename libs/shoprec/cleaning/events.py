"""Events: one row for each version of an event, each saying when a later version took its place."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from shoprec.cleaning.repeated import DELIVERY


def versions_of_events(single: DataFrame, repeated: DataFrame) -> DataFrame:
    """Accepted rows with ``superseded_at``, ``_duplicate``, ``event_id`` and ``month``; none is dropped.

    Rows of one event (``event_key``) that were known at the same moment are deliveries of one version: the last
    delivered counts, the others are duplicates. Rows known later are corrections: from then on the earlier version is
    superseded. Needs ``event_key``, ``event_at``, ``known_at`` and the lineage.

    :param single: the rows whose ``event_key`` no other shares (see ``split``)
    :param repeated: the others
    """
    version = Window.partitionBy("event_key", "known_at").orderBy(*(F.desc(name) for name in DELIVERY))
    place = F.row_number().over(version.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    marked = repeated.withColumn("_duplicate", place > 1)
    # A range, not a row, ahead: deliveries of the same moment do not supersede one another.
    later = Window.partitionBy("event_key").orderBy(F.unix_micros("known_at"))
    next_known = F.min("known_at").over(later.rangeBetween(1, Window.unboundedFollowing))
    superseded = marked.withColumn("superseded_at", next_known)
    alone = single.withColumn("_duplicate", F.lit(False)).withColumn("superseded_at", F.lit(None).cast("timestamp"))
    return (
        alone.unionByName(superseded)
        .withColumn("event_id", F.md5(F.concat_ws("@", "event_key", F.unix_micros("known_at").cast("string"))))
        .withColumn("month", F.date_format("event_at", "yyyy-MM"))
    )


def touched_months(events: DataFrame, taken_in: DataFrame) -> DataFrame:
    """The months of which a row may change through what was ingested since: one column, ``month``.

    A new row touches the months of every version of its event: a correction may move it from one to another.

    :param events: ``_dataset``, ``_ingestion_id``, ``event_key``, ``month`` of all accepted rows, duplicates too:
        one that no longer counts may have stood in another month
    :param taken_in: one row a dataset: ``_dataset`` and ``_taken_in``, the latest ingestion that is in the table
    """
    known = events.join(F.broadcast(taken_in), on="_dataset", how="left")
    new = known.where(F.col("_ingestion_id") > F.coalesce("_taken_in", F.lit(0))).select("event_key").distinct()
    return events.join(new, on="event_key", how="left_semi").select("month").distinct()
