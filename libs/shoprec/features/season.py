"""In which months of the year an item is bought."""

from datetime import date

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.features.declare import feature
from shoprec.features.shares import Shares, with_population
from shoprec.whole import of_whole


@feature(needs={"bought": ("item_id", "at", "lines")}, gives=("item_id", "seasonality", "season_now"))
def season(bought: DataFrame, as_of: date, prior: float) -> DataFrame:
    """How far each sold item's months differ from the shop's, and what the as-of date's month adds.

    Shares by calendar month are compared as tastes are (``shares.Shares``, ``prior`` in lines). season_now is 0 while
    the shop has not seen that month.
    """
    months = bought.groupBy("item_id", F.month("at").cast("string").alias("name")).agg(
        F.sum("lines").cast("double").alias("weight")
    )
    month = str(as_of.month)
    seen = months.agg(F.coalesce(F.bool_or(F.col("name") == month), F.lit(False)).alias("seen"))

    def make(rows: pa.Table) -> pa.Table:
        items = rows.column("item_id").combine_chunks().dictionary_encode()
        shares = Shares.of(items.indices.to_numpy().astype(np.int64), len(items.dictionary), rows, prior)
        told = {"seasonality": shares.distance_O, "season_now": shares.affinity_of(month)}
        return pa.table({"item_id": items.dictionary, **told})

    schema = "item_id string, seasonality double, season_now double"
    compared = of_whole(with_population(months), "item_id", "name", make, schema)
    now = F.when(F.col("seen"), F.col("season_now")).otherwise(0.0)
    return compared.join(F.broadcast(seen), how="cross").withColumn("season_now", now)
