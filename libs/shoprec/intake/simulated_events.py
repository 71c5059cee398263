"""The simulated shop's transactions: who, what, when, for how much, and the dirt on the way to us."""

from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec.intake import planted as sim
from shoprec.intake.planted import DIRT, SimulatorOptions


def dirt(options: SimulatorOptions, e: Column) -> Column:
    """The kind of dirt on event ``e``, '' for none."""
    dice, edge, bounds = options.draw("dirt", e), 0.0, []
    for kind in DIRT:
        edge += getattr(options, f"{kind}_share")
        bounds.append((edge, kind))
    return reduce(lambda rest, b: F.when(dice < b[0], F.lit(b[1])).otherwise(rest), reversed(bounds), F.lit(""))


def transactions(spark: SparkSession, options: SimulatorOptions) -> DataFrame:
    """One row for each delivery of each event, all values as text, with ``_file``."""
    return _delivered(_happened(spark, options), options)


def _happened(spark: SparkSession, options: SimulatorOptions) -> DataFrame:
    """One row an event as it truly was: indices, day, prices. Each step may use the columns of the one before."""
    o, e, u, k = options, F.col("e"), F.col("u"), F.col("k")
    events = spark.range(o.users * o.events_per_user).withColumnRenamed("id", "e")
    user = F.floor(F.pow(o.draw("user", e), 1.5) * o.users)
    events = events.withColumn("u", F.when(o.draw("heavy", e) < o.heavy_user_share, 0).otherwise(user))
    events = events.withColumn("is_staple", o.draw("is_staple", e) < o.repeat_share)
    turns = F.ceil(F.lit(o.days) / sim.period(o, u))
    on_rhythm = (o.index("phase", 7, u) + sim.period(o, u) * F.floor(o.draw("turn", e) * turns)) % o.days
    events = events.withColumn("day", F.when(F.col("is_staple"), on_rhythm).otherwise(o.index("day", o.days, e)))
    stays = o.draw("stays", e) < o.taste_share
    events = events.withColumn("k", F.when(stays, sim.taste(o, u)).otherwise(o.index("strays", o.clusters, e)))
    events = events.withColumn("week", F.floor(F.col("day") / 7)).withColumns(
        {"first": sim.popular_item(o, k, o.draw("first", e)), "second": sim.popular_item(o, k, o.draw("second", e))}
    )
    bargain = sim.price_sensitive(o, u) & (_price_paid(o, F.col("second")) < _price_paid(o, F.col("first")))
    follows_trend = o.draw("trend", e) < o.trend_share * F.col("day") / o.days
    item = (
        F.when(o.draw("common", e) < o.common_item_share, 0)
        .when(F.col("is_staple"), sim.staple(o, u))
        .when(follows_trend, sim.rising(o, k))
        .when(bargain, F.col("second"))
        .otherwise(F.col("first"))
    )
    return events.withColumn("i", item).withColumns({"type": _type(o, e), "dirt": dirt(o, e)})


def _price_paid(options: SimulatorOptions, i: Column) -> Column:
    on_offer = sim.promoted(options, i, F.col("week"))
    return F.when(on_offer, sim.price(options, i) * 0.75).otherwise(sim.price(options, i))


def _type(options: SimulatorOptions, e: Column) -> Column:
    dice, o = options.draw("type", e), options
    return (
        F.when(F.col("is_staple"), F.lit("purchase"))
        .when(dice < o.view_share, F.lit("view"))
        .when(dice < o.view_share + o.cart_share, F.lit("cart"))
        .when(dice < o.view_share + o.cart_share + o.return_share, F.lit("return"))
        .otherwise(F.lit("purchase"))
    )


def _delivered(events: DataFrame, options: SimulatorOptions) -> DataFrame:
    o, e, u, kind = options, F.col("e"), F.col("u"), F.col("dirt")
    twice = kind.isin("duplicate", "redelivered", "corrected")
    rows = events.withColumn("copy", F.explode(F.sequence(F.lit(1), F.when(twice, 2).otherwise(1))))
    again = F.col("copy") == 2
    correction = (kind == "corrected") & again
    hour = F.lit(8) + o.index("hour", 12, u)
    second = F.col("day") * 86400 + hour * 3600 + o.index("second", 3600, e)
    lateness = F.when(kind == "late", (o.index("late", 8, e) + 3) * 86400).when(correction, 2 * 86400).otherwise(600)
    rows = rows.withColumns({"happened": second, "arrived": second + lateness})
    file_day = F.floor(F.col("arrived") / 86400) + F.when((kind == "redelivered") & again, o.file_days).otherwise(0)
    units = 1 + o.index("units", 3, e) + F.when(correction, 1).otherwise(0)
    signed = F.when(F.col("type") == "return", -units).otherwise(units)
    priced = F.col("type").isin("purchase", "return")
    paid = F.round(_price_paid(o, F.col("i")) * signed, 2)
    saved = F.round(sim.price(o, F.col("i")) * signed, 2) - paid
    return rows.select(
        (e * 2 + F.col("copy") - 1).alias("_row"),
        F.concat(F.lit("e"), e).alias("event"),
        F.when(kind != "missing_user", sim.user_id(u)).alias("user"),
        F.when(kind == "unknown_item", F.concat(F.lit("x"), e)).otherwise(sim.item_id(F.col("i"))).alias("item"),
        F.col("type"),
        F.when(kind == "bad_value", F.lit("many")).otherwise(signed.cast("string")).alias("quantity"),
        F.when(priced, _money(paid)).alias("paid"),
        F.when(priced & (F.col("type") == "purchase"), _money(saved)).alias("saved"),
        F.concat_ws("-", F.lit("b"), u, F.col("day")).alias("basket"),
        F.concat(F.lit("m"), o.index("market", o.markets, u)).alias("market"),
        _moment(o, F.col("happened")).alias("happened_at"),
        _moment(o, F.col("arrived")).alias("arrived_at"),
        F.format_string("from-day-%05d", F.floor(file_day / o.file_days) * o.file_days).alias("_file"),
    )


def _money(value: Column) -> Column:
    return value.cast("decimal(18,2)").cast("string")


def _moment(options: SimulatorOptions, seconds: Column) -> Column:
    start = F.lit(options.start.isoformat()).cast("timestamp")
    return F.date_format(F.timestamp_add("SECOND", seconds, start), "yyyy-MM-dd HH:mm:ss")
