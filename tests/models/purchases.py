"""A few purchases, as sources take them."""

from datetime import date, timedelta

from pyspark.sql import SparkSession

from shoprec.moments import MICROS_A_DAY
from shoprec.retrieval.inputs import Inputs, days_of, users_with_seen

AS_OF = date(2020, 6, 1)


def shop(spark: SparkSession, lines: list[tuple[str, int, str, int]], homes: dict[str, str], items: int) -> Inputs:
    """Inputs from ``lines`` (user, item, market, days ago) and home markets; the items are named i0, i1, …"""
    rows = [(u, i, m, f"{u}-{ago}", AS_OF - timedelta(days=ago), -ago * MICROS_A_DAY) for u, i, m, ago in lines]
    purchases = spark.createDataFrame(
        rows, "user_id string, item_idx int, market string, basket_id string, day date, at long"
    )
    index = spark.createDataFrame(
        [(u, n, m) for n, (u, m) in enumerate(sorted(homes.items()))], "user_id string, user_idx int, market string"
    )
    ids = spark.createDataFrame([(f"i{n}", n) for n in range(items)], "item_id string, item_idx int")
    nothing = spark.createDataFrame([], "user_id string, item_idx int")
    days = days_of(purchases)
    return Inputs(purchases, days, users_with_seen(index, days), ids, ids, nothing, AS_OF)
