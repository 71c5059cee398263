"""Promotions: one row for each key, whatever the number of rows that the source gives it."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.cleaning.repeated import split
from shoprec.reuse import reused

KEY: tuple[str, ...] = ("kind", "item_id", "place", "valid_from")


@contextmanager
def promotions(accepted: DataFrame) -> Iterator[DataFrame]:
    """Accepted rows with one row for each of ``KEY`` (see :func:`one_for_each_key`), for the length of the block."""
    # What repeats is found among all rows, once: they are written, audited and counted.
    with split(accepted, *KEY) as (single, repeated), reused(one_for_each_key(repeated)) as together:
        yield single.select(*together.columns).unionByName(together)


def one_for_each_key(repeated: DataFrame) -> DataFrame:
    """One row for each of ``KEY``, of rows that share theirs: nothing of a promotion that stands twice is lost.

    Of rows with equal key the display and the mailer that sort last stand (a place before none), it holds to the latest
    end and was known when the last of them was: before, the earlier ones alone would tell what the later ones do. Rows
    that say the same, as of a shop that sends everything again every night, were known from the first.
    """
    alike = (*KEY, "valid_to", "display", "mailer")
    once = repeated.groupBy(*alike).agg(F.min("known_at").alias("known_at"), F.min("_dataset").alias("_dataset"))
    return once.groupBy(*KEY).agg(
        F.max("valid_to").alias("valid_to"),
        F.max("known_at").alias("known_at"),
        F.max("display").alias("display"),
        F.max("mailer").alias("mailer"),
        F.min("_dataset").alias("_dataset"),
    )
