"""Which lines were bought while their item was on display or in the mailer of the store."""

import functools
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.features.declare import feature
from shoprec.moments import MICROS_A_DAY, midnight

PROMOTIONS = ("kind", "item_id", "place", "valid_from", "valid_to", "display", "mailer")

_WEEK_MICROS = 7 * MICROS_A_DAY

#: Words of 64 bits in each filter of bought keys, 2 to this power: 4 MiB for both, whatever the number of keys. Of the
#: others 1.3% pass each with the 1.3 million keys of a shop's year, by the formula of such filters; more keys make them
#: less useful, not wrong.
_WORDS = 18

#: Bits that a key sets in its word.
_BITS = 3

LINES = (
    "user_id", "item_id", "market", "store_id", "basket", "event_at", "age_days", "bought", "quantity", "cents",
    "discount_cents", "coupon_cents",
)  # fmt: skip


def in_store(promotions: DataFrame, as_of: date) -> DataFrame:
    """Displays and mailers that began before ``as_of``; those that still run end with it."""
    until = F.least(F.coalesce("valid_to", midnight(as_of)), midnight(as_of))
    began = (F.col("kind") == "in_store") & (F.col("valid_from") < midnight(as_of))
    return promotions.where(began).withColumn("valid_to", until)


@feature(needs={"promotions": PROMOTIONS}, gives=("place", "recorded_from", "recorded_to"))
def recorded_spans(promotions: DataFrame, as_of: date) -> DataFrame:
    """From when to when each store's promotions are on record; one row a store that has any."""
    return (
        in_store(promotions, as_of)
        .groupBy("place")
        .agg(F.min("valid_from").alias("recorded_from"), F.max("valid_to").alias("recorded_to"))
    )


@feature(
    needs={"lines": LINES, "promotions": PROMOTIONS},
    gives=(*LINES, "on_display", "in_mailer"),
)
def exposed(lines: DataFrame, promotions: DataFrame, as_of: date) -> DataFrame:
    """``lines`` with on_display and in_mailer: whether the item was promoted so in that store at that moment.

    Null where it is not known: no store, or a store whose promotions are not on record at that time. As many rows as
    ``lines``: promotions are first brought to one row an item, store and week.
    """
    shelf = F.struct("valid_from", "valid_to", "display", "mailer")
    by_week = (
        _of_bought(in_store(promotions, as_of), lines)
        .select("item_id", F.col("place").alias("store_id"), F.explode("weeks").alias("week"), shelf.alias("shelf"))
        .groupBy("item_id", "store_id", "week")
        .agg(F.collect_list("shelf").alias("shelves"))
    )
    spans = recorded_spans(promotions, as_of).withColumnRenamed("place", "store_id")
    at = F.col("event_at")
    recorded = (at >= F.col("recorded_from")) & (at < F.col("recorded_to"))

    def promoted(how: str) -> Column:
        ran = F.exists("shelves", lambda s: s[how].isNotNull() & (s["valid_from"] <= at) & (at < s["valid_to"]))
        return F.when(recorded, F.coalesce(ran, F.lit(False)))

    return (
        lines.withColumn("week", _week("event_at"))
        .join(by_week, on=["item_id", "store_id", "week"], how="left")
        .join(spans, on="store_id", how="left")
        .withColumns({"on_display": promoted("display"), "in_mailer": promoted("mailer")})
    )


def _of_bought(promotions: DataFrame, lines: DataFrame) -> DataFrame:
    """The promotions that a line can have met, with the ``weeks`` of it, and few others, without a shuffle of them all.

    A blocked Bloom filter (Putze, Sanders and Singler, 2007), of which a promotion looks up one word, that of the week
    it begins in: ``bits`` tell of lines in that week, ``next_bits`` of lines in the week after it. Promotions that
    reach a third week, few by nature, pass with all their weeks.
    """
    at = lines.where(F.col("store_id").isNotNull()).select(
        "item_id", F.col("store_id").alias("place"), F.explode(F.array(F.lit(0), F.lit(1))).alias("after"), "event_at"
    )
    bought = _placed(at.withColumn("week", _week("event_at") - F.col("after")))

    def of_lines(after: int) -> Column:
        return F.coalesce(F.bit_or(F.when(F.col("after") == after, F.col("pattern"))), F.lit(0))

    words = bought.groupBy("word").agg(of_lines(0).alias("bits"), of_lines(1).alias("next_bits"))
    promoted = promotions.where(F.col("display").isNotNull() | F.col("mailer").isNotNull())
    keyed = _placed(promoted.withColumns({"week": _week("valid_from"), "last_week": _week("valid_to", less=1)}))

    def met(bits: str) -> Column:
        return F.coalesce(F.col(bits).bitwiseAND(F.col("pattern")) == F.col("pattern"), F.lit(False))

    week, last = F.col("week"), F.col("last_week")
    found = {
        "long": last > week + 1,
        "met": met("bits"),
        "met_next": met("next_bits") & (last > week),
    }
    weeks = (
        F.when(F.col("long"), F.sequence(week, last))
        .when(F.col("met") & F.col("met_next"), F.array(week, week + 1))
        .otherwise(F.array(F.when(F.col("met"), week).otherwise(week + 1)))
    )
    # Outer, so that long promotions stay; a word has one row, so that nothing multiplies.
    looked_up = keyed.join(F.broadcast(words), on="word", how="left").withColumns(found)
    return looked_up.where("long OR met OR met_next").withColumn("weeks", weeks)


def _placed(keys: DataFrame) -> DataFrame:
    """``keys`` (item_id, place, week) with the ``word`` of the filter that they fall in and their ``pattern`` there."""
    keys = keys.withColumn("hash", F.xxhash64("item_id", "place", "week"))
    places = (F.shiftrightunsigned("hash", _WORDS + 6 * number).bitwiseAND(F.lit(63)) for number in range(_BITS))
    bits = (F.call_function("shiftleft", F.lit(1).cast("long"), place.cast("int")) for place in places)
    pattern = functools.reduce(lambda one, other: one.bitwiseOR(other), bits)
    return keys.withColumns({"word": F.col("hash").bitwiseAND(F.lit((1 << _WORDS) - 1)), "pattern": pattern})


def _week(name: str, less: int = 0) -> Column:
    """Number of the seven days, counted from 1970, that a timestamp (less some microseconds) lies in."""
    return F.floor((F.unix_micros(name) - less) / F.lit(_WEEK_MICROS))
