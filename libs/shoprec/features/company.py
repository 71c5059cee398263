"""In what company an item is bought."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.features.declare import feature
from shoprec.features.lines import log_ratio


@feature(
    needs={"bought": ("user_id", "item_id", "basket")},
    gives=("item_id", "basket_items", "co_purchase"),
)
def company(bought: DataFrame, prior: float) -> DataFrame:
    """How many other items lie in each sold item's baskets, and the log of that over the shop's mean, shrunk.

    With n baskets of the item, s other items in them and m other items with the average (basket, item):
    co_purchase = log((s / m + prior) / (n + prior)). Which items go together stands in gold.item_neighbours.
    """
    baskets = bought.groupBy("user_id", "basket").agg((F.count("*") - 1).alias("others"))
    of_basket = F.col("others") + 1
    usual = baskets.agg((F.sum(F.col("others") * of_basket) / F.sum(of_basket)).alias("m"))
    together = bought.join(baskets, on=["user_id", "basket"], how="inner")
    items = together.groupBy("item_id").agg(F.count("*").alias("n"), F.sum("others").alias("s"))
    ratio = log_ratio(F.col("s") / F.nullif("m", F.lit(0.0)) + prior, F.col("n") + prior)
    return items.join(F.broadcast(usual), how="cross").withColumns(
        {"basket_items": F.col("s") / F.col("n"), "co_purchase": ratio}
    )
