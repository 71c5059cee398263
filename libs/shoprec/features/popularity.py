"""How many buy an item, since when, how faithfully, and whether more do now than before."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.features.config import ItemFeatureSettings
from shoprec.features.declare import feature
from shoprec.features.lines import log_ratio
from shoprec.features.pairs import WINDOWS

_LINES = ("lines", *(f"lines_{days}d" for days in WINDOWS))

_USERS = ("users", *(f"users_{days}d" for days in WINDOWS))

POPULARITY = (
    "item_id", *_LINES, *_USERS, "reach", "trend_7d", "trend_28d", "age_days", "idle_days",
    "repeat_rate", "repurchase_days", "buyer_breadth",
)  # fmt: skip


@feature(
    needs={"pairs": ("user_id", "item_id", "first_days", "last_days", "baskets", *_LINES)},
    gives=POPULARITY,
)
def popularity(pairs: DataFrame, settings: ItemFeatureSettings) -> DataFrame:
    """Buyers, lines, trends and repeat purchases of the items that were sold.

    A trend compares the lines of a short window with those that the item would have had at its share of a long one:
    log((short + prior) / (long · shop's short / shop's long + prior)); growth of the whole shop is no item's trend.
    """
    again = F.col("baskets") >= 2
    items = pairs.groupBy("item_id").agg(
        *(F.sum(name).alias(name) for name in _LINES),
        F.count("*").alias("users"),
        *(F.count_if(F.col("last_days") <= days).alias(f"users_{days}d") for days in WINDOWS),
        F.max("first_days").alias("age_days"),
        F.min("last_days").alias("idle_days"),
        F.count_if(again).alias("again"),
        F.sum(F.when(again, F.col("first_days") - F.col("last_days"))).alias("days_between"),
        F.sum(F.when(again, F.col("baskets") - 1)).alias("times_again"),
        F.sum(F.col("lines") * F.log("lines")).alias("n_log_n"),
    )
    buyers = pairs.select("user_id").distinct().agg(F.count("*").alias("of_buyers"))
    shop = items.agg(
        *(F.sum(name).alias(f"of_{name}") for name in _LINES), F.sum("again").alias("of_again"),
        F.sum("users").alias("of_users"),
    )  # fmt: skip
    prior = settings.repeat_prior
    usual = F.col("of_again") / F.col("of_users")
    return (
        items.join(F.broadcast(shop), how="cross")
        .join(F.broadcast(buyers), how="cross")
        .withColumns(
            {
                "reach": F.col("users") / F.col("of_buyers"),
                "trend_7d": _trend("lines_7d", "lines_91d", settings.trend_prior),
                "trend_28d": _trend("lines_28d", "lines_364d", settings.trend_prior),
                "repeat_rate": (F.col("again") + prior * usual) / (F.col("users") + prior),
                "repurchase_days": F.col("days_between") / F.col("times_again"),
                "buyer_breadth": F.exp(F.greatest(F.log("lines") - F.col("n_log_n") / F.col("lines"), F.lit(0.0))),
            }
        )
    )


@feature(
    needs={"pairs": ("item_id", "lines"), "items": ("item_id", "category")},
    gives=("item_id", "category_share"),
)
def category_shares(pairs: DataFrame, items: DataFrame) -> DataFrame:
    """The share that each sold item has of the purchase lines of its category; 0 without a category."""
    sold = pairs.groupBy("item_id").agg(F.sum("lines").alias("lines")).join(items, on="item_id", how="left")
    categories = sold.where(F.col("category").isNotNull()).groupBy("category").agg(F.sum("lines").alias("of_category"))
    share = F.coalesce(F.col("lines") / F.col("of_category"), F.lit(0.0))
    return sold.join(categories, on="category", how="left").withColumn("category_share", share)


def _trend(short: str, long: str, prior: float) -> Column:
    expected = F.col(long) * F.col(f"of_{short}") / F.nullif(f"of_{long}", F.lit(0))
    return log_ratio(F.col(short) + prior, F.coalesce(expected, F.lit(0.0)) + prior)
