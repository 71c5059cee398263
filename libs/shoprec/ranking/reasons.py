"""Why an item stands in a list, in words that the facts bear out."""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

#: A user's items that may be named in "people who buy X": the most often bought.
NAMED_ITEMS = 50
#: Neighbours of a recommended item that are looked up among them.
NEAREST = 20
#: Purchases from which on a category or brand counts as bought often.
OFTEN = 3

#: What to say where no family that spoke for the item has a fact to show.
_LAST_RESORT = "Fits what you buy"


def explained(
    lists: DataFrame,
    known: DataFrame,
    items: DataFrame,
    neighbours: DataFrame,
    interactions: DataFrame,
    sources: Sequence[str],
    most: int,
) -> DataFrame:
    """The recommendations: list, market, user_id, rank, item_id, score, sources, reasons.

    ``lists`` as of ``ranking.lists``; ``known``: user_id, item_id and families of what the ranker of known items
    scored, one row a pair; ``items``: item_id, name, category; ``neighbours``: item_neighbours of kind
    'similar'; ``interactions``: known purchases. Each row has 1 … ``most`` reasons.
    """
    named = items.select("item_id", "name", "category")
    kin = items.select(F.col("item_id").alias("kin_id"), F.col("name").alias("kin_name"))
    said = known.select("user_id", "item_id", F.col("families").alias("known_families"))
    told = (
        lists.join(said, on=["user_id", "item_id"], how="left")
        .withColumn("families", F.coalesce("families", "known_families", F.array().cast("array<string>")))
        .join(named, on="item_id", how="left")
        .join(nearest(neighbours), on="item_id", how="left")
        .join(often_bought(interactions), on="user_id", how="left")
        .withColumn("kin_id", F.get(F.array_intersect("near", "mine"), 0))
        .join(kin, on="kin_id", how="left")
    )
    return told.select(
        "list", "market", "user_id", "rank", "item_id", "score",
        strongest_sources(sources).alias("sources"),
        reasons(F.col("families"), sentences(), most).alias("reasons"),
    )  # fmt: skip


def nearest(neighbours: DataFrame) -> DataFrame:
    """One row an item: ``near``, its ``NEAREST`` neighbours' ids, nearest first."""
    close = neighbours.where(F.col("rank") <= NEAREST)
    ranked = F.sort_array(F.collect_list(F.struct("rank", "neighbour_id")))
    return close.groupBy("item_id").agg(ranked["neighbour_id"].alias("near"))


def often_bought(interactions: DataFrame) -> DataFrame:
    """One row a user: ``mine``, the ids of the ``NAMED_ITEMS`` items that the user bought most often (lines)."""
    often = Window.partitionBy("user_id").orderBy(F.desc("times"), F.xxhash64("user_id", "item_id"))
    times = interactions.where("type = 'purchase'").groupBy("user_id", "item_id").agg(F.count(F.lit(1)).alias("times"))
    most = times.withColumn("place", F.row_number().over(often)).where(F.col("place") <= NAMED_ITEMS)
    return most.groupBy("user_id").agg(F.collect_set("item_id").alias("mine"))


def strongest_sources(sources: Sequence[str]) -> Column:
    """The sources that proposed the row's item, by the place they gave it; ``rank_<source>`` is null for the others."""
    proposals = F.array(
        *(
            F.when(
                F.col(f"rank_{s}").isNotNull(),
                F.struct(F.col(f"rank_{s}").alias("rank"), F.lit(i).alias("i"), F.lit(s).alias("s")),
            )
            for i, s in enumerate(sources)
        )
    )
    return F.sort_array(F.filter(proposals, lambda one: one.isNotNull()))["s"]


def reasons(families: Column, told: Mapping[str, Column], most: int) -> Column:
    """The sentences of ``families``, strongest first, at most ``most``; those whose facts do not hold are left out."""
    # Sorted by the family's place, not looked up for each family: so every sentence is put together once a row.
    placed = F.array(
        *(
            F.struct(F.array_position(families, F.lit(family)).alias("place"), sentence.alias("words"))
            for family, sentence in told.items()
        )
    )
    spoken = F.sort_array(F.filter(placed, lambda one: (one["place"] > 0) & one["words"].isNotNull()))["words"]
    return F.when(F.size(spoken) == 0, F.array(F.lit(_LAST_RESORT))).otherwise(F.slice(spoken, 1, most))


def sentences() -> dict[str, Column]:
    """For each family, the sentence that the row's facts allow; null where they allow none."""
    col = F.col
    category = col("category")
    return {
        "repeat": _repeat(),
        "similar": F.when(
            col("kin_name").isNotNull(), F.concat(F.lit("People who buy "), "kin_name", F.lit(" also buy this"))
        ),
        "taste": F.when(col("pair_days") == 0, F.lit("Shoppers with a taste like yours buy this")),
        "category": F.when(
            category.isNotNull() & (col("category_days") >= OFTEN),
            F.concat(
                F.lit("Often bought in "), category, F.lit(": "), _times("category_days"), F.lit(", last "),
                _ago("category_age"),
            ),
        ),
        "brand": F.when(col("brand_days") >= OFTEN, F.concat(F.lit("A brand you have bought "), _times("brand_days"))),
        "offer": F.when(col("item_display_now") > 0, F.lit("On display this week"))
        .when(col("item_mailer_now") > 0, F.lit("In this week's mailer"))
        .when(col("item_mailer_ahead") > 0, F.lit("In a mailer of the coming days"))
        .when(col("item_discount_frequency") >= 0.5, F.lit("Often on offer")),
        "price": F.when(
            category.isNotNull() & col("price_ratio").between(0.8, 1.25),
            F.concat(F.lit("Priced like what you buy in "), category),
        ).when(
            category.isNotNull() & (col("price_ratio") < 0.8),
            F.concat(F.lit("Cheaper than what you usually buy in "), category),
        ),
        "popular": F.when(
            col("item_users_28d") >= 10,
            F.concat(F.lit("Bought by "), col("item_users_28d").cast("long"), F.lit(" shoppers in the last 28 days")),
        ),
        "trend": F.when(col("item_trend_28d") > 0.1, F.lit("Selling more than usual")),
    }  # fmt: skip


def _repeat() -> Column:
    rhythm = F.when(
        F.col("pair_days") >= OFTEN,
        F.concat(F.lit("; usually every "), _days(F.greatest(F.lit(1), F.round("pair_gap")))),
    ).otherwise(F.lit(""))
    return F.when(F.col("pair_days") == 1, F.concat(F.lit("Bought once, "), _ago("pair_age"))).when(
        F.col("pair_days") > 1,
        F.concat(F.lit("Bought "), _times("pair_days"), F.lit(", last "), _ago("pair_age"), rhythm),
    )


def _times(name: str) -> Column:
    return F.concat(F.col(name).cast("long"), F.lit(" times"))


def _ago(name: str) -> Column:
    return F.concat(_days(F.col(name)), F.lit(" ago"))


def _days(number: Column) -> Column:
    whole = number.cast("long")
    return F.concat(whole, F.when(whole == 1, F.lit(" day")).otherwise(F.lit(" days")))
