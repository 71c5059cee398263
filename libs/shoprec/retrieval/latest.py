"""What a user met last."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def voices(purchases: DataFrame, items: int, decay: float) -> DataFrame:
    """user_id, item_idx, weight (double) of the latest ``items`` of each user, each where it was bought last.

    The last one weighs 1, each before it ``decay`` times what the next does.

    :param purchases: user_id, item_idx, at; one row a line
    """
    last = purchases.groupBy("user_id", "item_idx").agg(F.max("at").alias("at"))
    weight = F.pow(F.lit(decay), F.col("place") - 1)
    return latest(last, "user_id", items).select("user_id", "item_idx", weight.alias("weight"))


def latest(visits: DataFrame, holder: str, count: int) -> DataFrame:
    """The ``count`` latest rows of each ``holder``, with ``place`` (1: the last); those of one moment by a hash.

    :param visits: ``holder``, item_idx, at (orderable: when)
    """
    order = Window.partitionBy(holder).orderBy(F.desc("at"), F.xxhash64(holder, "item_idx"), "item_idx")
    place = F.row_number().over(order.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    return visits.withColumn("place", place).where(F.col("place") <= count)
