"""gold.user_profiles: the features of a user, put together."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.contracts.gold import USER_PROFILES
from shoprec.features.activity import activity, lifecycle
from shoprec.features.affinity import tastes
from shoprec.features.config import ProfileSettings
from shoprec.features.declare import feature
from shoprec.features.habits import places, times
from shoprec.features.price import user_price_level
from shoprec.features.promotion import responses

DEMOGRAPHICS = (
    "age_band", "income_band", "household_size", "household_type", "children", "marital_status", "home_ownership",
    "country",
)  # fmt: skip

#: The contract's columns less those that the run adds.
PROFILE = tuple(name for name in USER_PROFILES.names if name not in USER_PROFILES.slice)


@feature(
    needs={"pairs": ("user_id", "baskets")},
    gives=("user_id", "items", "repeat_rate"),
)
def repeats(pairs: DataFrame) -> DataFrame:
    """Distinct items of each user, and the share of (basket, item) whose item came from an earlier basket already."""
    users = pairs.groupBy("user_id").agg(F.count("*").alias("items"), F.sum("baskets").alias("n"))
    return users.withColumn("repeat_rate", (F.col("n") - F.col("items")) / F.col("n"))


def user_profiles(
    lines: DataFrame,
    baskets: DataFrame,
    pairs: DataFrame,
    users: DataFrame,
    time_zone: str,
    settings: ProfileSettings,
) -> DataFrame:
    """The profiles of the users with at least one known purchase.

    :param lines: what ``lines.known_lines`` gives
    :param baskets: what ``activity.baskets`` gives for these lines
    :param pairs: what ``pairs.user_pairs`` gives for these lines
    :param users: silver.users, one row a user, valid at the as-of date
    :param time_zone: IANA name of the zone by whose clock hours and weekdays are told
    :return: the columns of the contract, less as_of and run_id
    """
    active = activity(baskets)
    profiles = active
    for part in (
        lifecycle(active, settings),
        times(baskets, time_zone),
        places(lines),
        repeats(pairs),
        tastes(pairs, settings),
        user_price_level(pairs, settings.price_prior),
        responses(pairs, settings.response_prior),
        users.select("user_id", *DEMOGRAPHICS),
    ):
        profiles = profiles.join(part, on="user_id", how="left")
    return profiles.select(*PROFILE)
