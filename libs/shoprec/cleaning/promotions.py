"""Promotions: one row for each key, whatever the number of rows that the source gives it."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.cleaning.repeated import split

KEY: tuple[str, ...] = ("kind", "item_id", "place", "valid_from")


@contextmanager
def promotions(accepted: DataFrame) -> Iterator[DataFrame]:
    """Accepted rows with one row for each of ``KEY`` (see :func:`one_for_each_key`), for the length of the block."""
    with split(accepted, *KEY) as parts:
        yield one_for_each_key(*parts)


def one_for_each_key(single: DataFrame, repeated: DataFrame) -> DataFrame:
    """Accepted rows with one row for each of ``KEY``: nothing of a promotion that stands twice is lost.

    Of rows with equal key the display and the mailer that sort last stand (a place before none), it holds to the latest
    end and was known when the last of them was: before, the earlier ones alone would tell what the later ones do. Rows
    that say the same, as of a shop that sends everything again every night, were known from the first.

    :param single: the rows whose ``KEY`` no other shares (see ``split``)
    :param repeated: the others
    """
    alike = (*KEY, "valid_to", "display", "mailer")
    once = repeated.groupBy(*alike).agg(F.min("known_at").alias("known_at"), F.min("_dataset").alias("_dataset"))
    together = once.groupBy(*KEY).agg(
        F.max("valid_to").alias("valid_to"),
        F.max("known_at").alias("known_at"),
        F.max("display").alias("display"),
        F.max("mailer").alias("mailer"),
        F.min("_dataset").alias("_dataset"),
    )
    return single.select(*together.columns).unionByName(together)
