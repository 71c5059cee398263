"""What users chose, as weighted pairs of dense numbers."""

import math
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.moments import days_between, midnight
from shoprec.samples.config import SampleSettings

#: Weight of the faintest pair: above 0 in single precision, so that no pair vanishes by age alone.
LEAST_WEIGHT = 1e-30


def positives(
    interactions: DataFrame, user_index: DataFrame, item_index: DataFrame, as_of: date, settings: SampleSettings
) -> DataFrame:
    """One row a user and item with an event of a type that has a weight.

    weight = sum over the pair's events of the type's weight · exp(-ln 2 · age / half-life). Negatives are not stored:
    training draws them by ``item_index.log_q``.

    :param interactions: event_at, type, user_id, item_id; further columns are not looked at
    :param user_index: user_id, user_idx; events of other users are left out
    :param item_index: item_id, item_idx; events of other items are left out
    :return: user_idx, item_idx, label (1), weight (> 0), importance (1), interactions (events),
        age_days (of the latest)
    """
    age = days_between("event_at", midnight(as_of))
    of_type = F.coalesce(*(F.when(F.col("type") == name, F.lit(weight)) for name, weight in settings.weights.items()))
    events = interactions.where(F.col("type").isin(*settings.weights)).select(
        "user_id", "item_id", age.alias("age_days"), of_type.alias("of_type")
    )
    known = events.where("age_days > 0")
    if settings.window_days is not None:
        known = known.where(F.col("age_days") <= settings.window_days)
    decay = F.exp(F.col("age_days") * (-math.log(2) / settings.half_life_days))
    pairs = known.groupBy("user_id", "item_id").agg(
        F.greatest(F.sum(F.col("of_type") * decay), F.lit(LEAST_WEIGHT)).alias("weight"),
        F.count("*").alias("interactions"),
        F.min("age_days").alias("age_days"),
    )
    return (
        pairs.join(user_index.select("user_id", "user_idx"), on="user_id", how="inner")
        .join(item_index.select("item_id", "item_idx"), on="item_id", how="inner")
        .select(
            "user_idx",
            "item_idx",
            F.lit(1.0).alias("label"),
            "weight",
            F.lit(1.0).alias("importance"),
            "interactions",
            "age_days",
        )
    )
