"""In which months of the year an item is bought."""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.features.declare import feature
from shoprec.features.shares import divergence


@feature(needs={"bought": ("item_id", "at", "lines")}, gives=("item_id", "seasonality", "season_now"))
def season(bought: DataFrame, as_of: date, prior: float) -> DataFrame:
    """How far each sold item's months differ from the shop's, and what the as-of date's month adds.

    Shares by calendar month are compared as tastes are (``shares.divergence``, ``prior`` in lines). season_now is 0
    while the shop has not seen that month.
    """
    months = bought.groupBy("item_id", F.month("at").cast("string").alias("name")).agg(
        F.sum("lines").cast("double").alias("weight")
    )
    month = str(as_of.month)
    seen = months.agg(F.coalesce(F.bool_or(F.col("name") == month), F.lit(False)).alias("seen"))
    this = F.get(F.filter("cells", lambda cell: cell["name"] == month), 0)["affinity"]
    return (
        divergence(months, "item_id", prior)
        .join(F.broadcast(seen), how="cross")
        .select(
            "item_id",
            F.col("distance").alias("seasonality"),
            F.when(F.col("seen"), F.coalesce(this, F.col("rest"))).otherwise(0.0).alias("season_now"),
        )
    )
