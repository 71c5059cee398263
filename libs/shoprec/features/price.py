"""Price levels: what is paid for a unit, against the median of the category."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.features.declare import feature
from shoprec.features.lines import log_ratio


@feature(needs={"pairs": ("category", "price", "lines")}, gives=("category", "median_price"))
def category_prices(pairs: DataFrame) -> DataFrame:
    """The median unit price of each category, currency, each pair of user and item weighing its lines.

    Exact, and of prices rounded to the cent, so that one category holds few distinct values.
    """
    priced = pairs.where(F.col("category").isNotNull() & F.col("price").isNotNull())
    return priced.groupBy("category").agg(F.percentile("price", 0.5, F.col("lines")).alias("median_price"))


@feature(needs={"pairs": ("user_id", "category", "price", "lines")}, gives=("user_id", "price_level"))
def user_price_level(pairs: DataFrame, prior: float) -> DataFrame:
    """How dearly each user buys: mean log of unit price over the category's median, with ``prior`` lines of 0 added.

    0 for users of whom no price in a category is known.
    """
    medians = category_prices(pairs)
    level = F.when(F.col("price").isNotNull(), log_ratio(F.col("price"), F.col("median_price")))
    known = pairs.join(medians, on="category", how="left").withColumn(
        "level", F.when(F.col("median_price").isNotNull(), level)
    )
    lines = F.col("lines")
    return known.groupBy("user_id").agg(
        (
            F.coalesce(F.sum(lines * F.col("level")), F.lit(0.0))
            / (F.sum(F.when(F.col("level").isNotNull(), lines).otherwise(0)) + prior)
        ).alias("price_level")
    )


@feature(
    needs={"pairs": ("item_id", "price", "lines"), "items": ("item_id", "category")},
    gives=("item_id", "price_level"),
)
def item_price_level(pairs: DataFrame, items: DataFrame) -> DataFrame:
    """Log of each sold item's median unit price over its category's; 0 where either is unknown."""
    medians = category_prices(pairs.join(items, on="item_id", how="left"))
    own = pairs.groupBy("item_id").agg(F.percentile("price", 0.5, F.col("lines")).alias("own"))
    compared = own.join(items, on="item_id", how="left").join(medians, on="category", how="left")
    return compared.withColumn("price_level", log_ratio(F.col("own"), F.col("median_price")))


@feature(needs={"prices": ("item_id", "price", "list_price")}, gives=("item_id", "price", "list_price"))
def price_now(prices: DataFrame) -> DataFrame:
    """The price of each item now: median over its markets, currency.

    :param prices: one row an item and market, valid at the as-of date
    """

    def middle(name: str) -> Column:
        return F.percentile(F.col(name).cast("double"), 0.5).cast("decimal(18,2)").alias(name)

    return prices.groupBy("item_id").agg(middle("price"), middle("list_price"))
