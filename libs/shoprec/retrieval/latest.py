"""What a user met last."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def latest(visits: DataFrame, holder: str, count: int) -> DataFrame:
    """The ``count`` latest rows of each ``holder``, with ``place`` (1: the last); those of one moment by a hash.

    :param visits: ``holder``, item_idx, at (orderable: when)
    """
    order = Window.partitionBy(holder).orderBy(F.desc("at"), F.xxhash64(holder, "item_idx"), "item_idx")
    place = F.row_number().over(order.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    return visits.withColumn("place", place).where(F.col("place") <= count)
