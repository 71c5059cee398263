"""Dense numbers for the users and items of a run."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from shoprec.features.config import IndexSettings, ItemIndexSettings

#: Ids looked at for one bound between two ranges: sample quantiles of 32 a range keep the largest range within about
#: twice the mean.
_SAMPLE_A_RANGE = 32


def user_counts(purchases: DataFrame) -> DataFrame:
    """The users with known purchases.

    :param purchases: user_id, market; one row a purchase line
    :return: user_id, market (the one with most lines, ties by name), interactions (lines)
    """
    by_market = purchases.groupBy("user_id", "market").agg(F.count("*").alias("n"))
    most = F.struct((-F.col("n")).alias("n"), "market")
    return by_market.groupBy("user_id").agg(F.min(most)["market"].alias("market"), F.sum("n").alias("interactions"))


def user_index(users: DataFrame, settings: IndexSettings) -> DataFrame:
    """Number users. ``users``, what ``user_counts`` gives, is read three times: best held (``reuse.reused``).

    :return: user_id, user_idx (0 …, in order of user_id), market, interactions
    """
    return numbered(users, "user_id", "user_idx", settings.ranges).select(
        "user_id", "user_idx", "market", "interactions"
    )


def item_counts(purchases: DataFrame) -> DataFrame:
    """The items with known purchases: item_id, interactions (lines).

    :param purchases: item_id; one row a purchase line
    """
    return purchases.groupBy("item_id").agg(F.count("*").alias("interactions"))


def item_index(items: DataFrame, settings: ItemIndexSettings) -> DataFrame:
    """Number items. ``items``, what ``item_counts`` gives, is read four times: best held (``reuse.reused``).

    :return: item_id, item_idx (0 …, in order of item_id), interactions, log_q (log of lines^power over its sum)
    """
    mass = F.pow(F.col("interactions").cast("double"), F.lit(settings.negative_power))
    total = items.agg(F.sum(mass).alias("total"))
    return (
        numbered(items, "item_id", "item_idx", settings.ranges)
        .join(F.broadcast(total), how="cross")
        # Rounding may lift the only item of a shop above its log of 1.
        .withColumn("log_q", F.least(F.log(mass / F.col("total")), F.lit(0.0)).cast("float"))
        .select("item_id", "item_idx", "interactions", "log_q")
    )


def numbered(rows: DataFrame, key: str, number: str, ranges: int) -> DataFrame:
    """``rows`` with a dense int32 ``number`` from 0, in order (of bytes) of the unique, non-null string ``key``.

    Each id is put into one of ``ranges`` ranges, numbered within it, and moved on by the sizes of the ranges before. No
    task sees more than about two ranges' mean of ids, and the driver sees none. The bounds are quantiles of the ids
    with the smallest hashes: a sample that depends on the ids alone, so that every evaluation draws the same bounds.
    """
    size = ranges * _SAMPLE_A_RANGE
    sample = rows.select(key).orderBy(F.xxhash64(key), key).limit(size)
    ids = F.sort_array(F.collect_list(key))
    step = F.greatest(F.ceil(F.size("ids") / ranges), F.lit(1))
    bounds = sample.agg(ids.alias("ids")).select(
        F.filter("ids", lambda _, i: (i > 0) & (i % step == 0)).alias("bounds")
    )
    ranged = (
        rows.join(F.broadcast(bounds), how="cross")
        .withColumn("range", F.size(F.filter("bounds", lambda bound: bound <= F.col(key))))
        .drop("bounds")
    )
    # At most `ranges` rows: the one window over a single partition.
    before = Window.orderBy("range").rowsBetween(Window.unboundedPreceding, -1)
    offsets = (
        ranged.groupBy("range")
        .agg(F.count("*").alias("n"))
        .select("range", F.coalesce(F.sum("n").over(before), F.lit(0)).alias("offset"))
    )
    within = F.row_number().over(Window.partitionBy("range").orderBy(key))
    return (
        ranged.withColumn("within", within)
        .join(F.broadcast(offsets), on="range", how="inner")
        .withColumn(number, (F.col("offset") + F.col("within") - 1).cast("int"))
        .drop("range", "within", "offset")
    )
