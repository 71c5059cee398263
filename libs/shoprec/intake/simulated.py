"""A simulated shop with planted truth: tastes, price sensitivity, trends, rhythms and dirt, of any size, on Spark.

Everything follows from the seed and an index by hashing: no state, no shuffle, the same rows on any cluster and in any
order. Users have a cluster of taste, items belong to one; most of a user's events are within it, on items drawn by a
power law. What was planted can be had by ``truth``, and tests hold the suite to it.
"""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec.errors import ConfigError
from shoprec.intake.planted import (
    SimulatorOptions,
    cluster,
    item_id,
    period,
    price,
    price_sensitive,
    promoted,
    rising,
    staple,
    taste,
    user_id,
)
from shoprec.intake.simulated_events import dirt, transactions
from shoprec.settings import nearest

__all__ = ["SimulatorOptions", "Truth", "file_names", "raw", "truth"]

TABLES = ("transactions", "products", "users", "promotions")

#: Days after the last event by which everything has arrived: late ones after 10, deliveries repeated a file later.
LAST_ARRIVAL_DAYS = 11

_WORDS = ("bread", "tea", "soap", "paint", "lamp", "shirt", "ball", "seed", "cheese", "pen", "rope", "cup", "toy")
_KINDS = ("plain", "fine", "large", "small", "soft", "bright")
_AGES = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")


@dataclass(frozen=True)
class Truth:
    """What was planted.

    users: user_id, cluster, price_sensitive, period (days between purchases of the staple), staple (item id);
    items: item_id, cluster, rising, price; events: event, dirt ('' for none), one row an event.
    """

    users: DataFrame
    items: DataFrame
    events: DataFrame


def truth(spark: SparkSession, options: SimulatorOptions) -> Truth:
    """What was planted in the shop of ``options``."""
    u, i = F.col("id"), F.col("id")
    users = spark.range(options.users).select(
        user_id(u).alias("user_id"),
        taste(options, u).alias("cluster"),
        price_sensitive(options, u).alias("price_sensitive"),
        period(options, u).alias("period"),
        item_id(staple(options, u)).alias("staple"),
    )
    items = spark.range(options.items).select(
        item_id(i).alias("item_id"),
        cluster(options, i).alias("cluster"),
        (i == rising(options, cluster(options, i))).alias("rising"),
        price(options, i).alias("price"),
    )
    events = spark.range(options.users * options.events_per_user).select(
        F.concat(F.lit("e"), F.col("id")).alias("event"), dirt(options, F.col("id")).alias("dirt")
    )
    return Truth(users, items, events)


def file_names(table: str, options: SimulatorOptions) -> tuple[str, ...]:
    """The virtual files of a raw table: transactions have one for each ``file_days`` of arrival, the others one.

    :raises ConfigError: there is no such raw table
    """
    if table not in TABLES:
        raise ConfigError(f"the simulator has no raw table {table!r}; {nearest(table, TABLES)}")
    if table != "transactions":
        return (table,)
    end = options.days + LAST_ARRIVAL_DAYS + options.file_days
    delivered = end if options.delivered_days is None else options.delivered_days
    starts = range(0, end, options.file_days)
    return tuple(f"from-day-{day:05d}" for day in starts if day + options.file_days <= delivered or delivered == end)


def raw(spark: SparkSession, table: str, options: SimulatorOptions) -> DataFrame:
    """The rows of a raw table, all values as text, with ``_file`` and ``_row``: where each stands."""
    makers = {"transactions": transactions, "products": _products, "users": _users, "promotions": _promotions}
    rows = makers[table](spark, options)
    if "_file" not in rows.columns:
        return rows.withColumn("_file", F.lit(table))
    return rows.where(F.col("_file").isin(*file_names(table, options)))


def _words(words: tuple[str, ...], index: Column) -> Column:
    return F.element_at(F.array(*map(F.lit, words)), (index % len(words) + 1).cast("int"))


def _products(spark: SparkSession, options: SimulatorOptions) -> DataFrame:
    i = F.col("id")
    k = cluster(options, i)
    category = F.concat(_words(_WORDS, k), F.lit(" "), k)
    return spark.range(options.items).select(
        i.alias("_row"),
        item_id(i).alias("item"),
        F.concat_ws(" ", _words(_KINDS, options.index("kind", len(_KINDS), i)), category, i).alias("name"),
        F.concat(F.lit("department "), F.floor(k / 3)).alias("department"),
        category.alias("category"),
        F.concat(F.lit("brand "), options.index("brand", 12, i)).alias("brand"),
        price(options, i).cast("decimal(18,2)").cast("string").alias("price"),
    )


def _users(spark: SparkSession, options: SimulatorOptions) -> DataFrame:
    u = F.col("id")
    return spark.range(options.users).select(
        u.alias("_row"),
        user_id(u).alias("user"),
        F.when(options.draw("told", u) < 0.5, _words(_AGES, options.index("age", len(_AGES), u))).alias("age"),
        F.concat(F.lit("m"), options.index("market", options.markets, u)).alias("market"),
    )


def _promotions(spark: SparkSession, options: SimulatorOptions) -> DataFrame:
    weeks = -(-options.days // 7)
    i, week = F.floor(F.col("id") / weeks), F.col("id") % weeks
    starts = F.date_add(F.lit(options.start), (week * 7).cast("int"))
    return (
        spark.range(options.items * weeks)
        .where(promoted(options, i, week))
        .select(
            F.col("id").alias("_row"),
            item_id(i).alias("item"),
            starts.cast("string").alias("begins"),
            F.date_add(starts, 7).cast("string").alias("ends"),
            _words(("front", "aisle", "till"), options.index("display", 3, i, week)).alias("display"),
        )
    )
