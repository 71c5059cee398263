"""What a user likes more than others do: departments, categories and brands."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.features.config import ProfileSettings
from shoprec.features.declare import feature
from shoprec.features.shares import divergence, strongest

#: Column of a pair -> column of its tastes.
LEVELS = {"department": "departments", "category": "categories", "brand": "brands"}

#: Weights below this share of a line have been bought so long ago that they say nothing; logs of 0 are not finite.
_LEAST_WEIGHT = 1e-12


@feature(
    needs={"pairs": ("user_id", "weight", *LEVELS)},
    gives=(
        "user_id",
        *LEVELS.values(),
        *(f"{level}_breadth" for level in LEVELS),
        "taste_distance",
    ),
)
def tastes(pairs: DataFrame, settings: ProfileSettings) -> DataFrame:
    """Affinities of the users with a purchase, against the population (see ``shares.divergence``).

    Users of whose items a level is unknown have an empty array and breadth 0 there, and taste_distance 0.
    """
    users = pairs.select("user_id").distinct()
    for level, name in LEVELS.items():
        users = users.join(_tastes(pairs, level, name, settings), on="user_id", how="left")
    nothing = F.array().cast("array<struct<name:string,affinity:double,share:double>>")
    return users.withColumns(
        {
            **{name: F.coalesce(name, nothing) for name in LEVELS.values()},
            **{f"{level}_breadth": F.coalesce(f"{level}_breadth", F.lit(0.0)) for level in LEVELS},
            "taste_distance": F.coalesce("category_distance", F.lit(0.0)),
        }
    )


def _tastes(pairs: DataFrame, level: str, name: str, settings: ProfileSettings) -> DataFrame:
    weights = (
        pairs.where(F.col(level).isNotNull())
        .groupBy("user_id", F.col(level).alias("name"))
        .agg(F.greatest(F.sum("weight"), F.lit(_LEAST_WEIGHT)).alias("weight"))
    )
    return divergence(weights, "user_id", settings.taste_prior).select(
        "user_id",
        strongest(F.col("cells"), settings.tastes).alias(name),
        F.col("breadth").alias(f"{level}_breadth"),
        F.col("distance").alias(f"{level}_distance"),
    )
