"""Users to look at, one for each lifecycle stage: what is known of them, what they were shown, what they then did."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

Row = Mapping[str, Any]

_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_PROFILE = (
    "user_id", "stage", "recency_days", "tenure_days", "baskets", "items", "spend", "basket_spend", "basket_lines",
    "gap_days", "repeat_rate", "weekday_shares", "departments", "categories", "offer_share", "coupon_share",
    "price_level", "age_band", "income_band", "household_size",
)  # fmt: skip


def example_users(profiles: DataFrame, recommendations: DataFrame) -> DataFrame:
    """One user of each lifecycle stage who has a list, picked by a hash: at most four rows of user_profiles."""
    listed = recommendations.where("list = 'all' and rank = 1").select("user_id").distinct()
    picked = profiles.join(listed, on="user_id", how="left_semi").groupBy("stage")
    return picked.agg(F.min_by(F.struct(*_PROFILE), F.xxhash64("user_id")).alias("one")).select("one.*")


def example_lists(
    users: Sequence[str], recommendations: DataFrame, items: DataFrame, truth: DataFrame, depth: int
) -> DataFrame:
    """The first ``depth`` recommendations of each list of a few users, named, with whether they then bought them.

    Gives user_id, list, rank, name, category, score, reasons, sources, bought: at most users × lists × depth rows.
    """
    bought = truth.where(F.col("user_id").isin(*users) & F.col("relevant")).select("user_id", "item_id", "relevant")
    return (
        recommendations.where(F.col("user_id").isin(*users) & (F.col("rank") <= depth))
        .join(items.select("item_id", "name", "category"), on="item_id", how="left")
        .join(bought, on=["user_id", "item_id"], how="left")
        .select("user_id", "list", "rank", F.coalesce("name", "item_id").alias("name"), "category", "score", "reasons",
                "sources", F.coalesce("relevant", F.lit(False)).alias("bought"))
    )  # fmt: skip


def in_words(profile: Row, currency: str) -> list[str]:
    """What a profile says, as short sentences; what is not known is left out."""
    told = [
        f"{profile['baskets']:,} baskets in {_days(profile['tenure_days'])}, "
        f"the last {_days(profile['recency_days'])} before",
        f"{profile['basket_spend']:,.2f} {currency} and {profile['basket_lines']:.1f} lines a basket; "
        f"{profile['spend']:,.2f} {currency} in all on {profile['items']:,} different items",
    ]
    if profile["gap_days"] is not None:
        told.append(f"comes every {_days(profile['gap_days'])}{_favourite_day(profile['weekday_shares'])}")
    told.append(f"{profile['repeat_rate']:.0%} of a basket was bought before")
    for kind in ("departments", "categories"):
        if tastes := [_taste(taste) for taste in (profile[kind] or [])[:3] if taste["affinity"] > 0]:
            told.append(f"{kind} above the average: {', '.join(tastes)}")
    offers = [(profile["offer_share"], "at a discount"), (profile["coupon_share"], "with a coupon")]
    if shares := [f"{share:.0%} of lines {how}" for share, how in offers if share]:
        told.append(f"buys {', '.join(shares)}")
    if abs(profile["price_level"]) >= 0.02:
        way = "above" if profile["price_level"] > 0 else "below"
        told.append(f"pays {abs(math.expm1(profile['price_level'])):.0%} {way} the usual price in its categories")
    household = [("age", "age_band"), ("income", "income_band"), ("persons", "household_size")]
    if known := [f"{label} {profile[name]}" for label, name in household if profile[name]]:
        told.append(", ".join(known))
    return told


def _days(number: float) -> str:
    return "1 day" if round(number) == 1 else f"{number:,.0f} days"


def _taste(taste: Row) -> str:
    return f"{taste['name'].capitalize()} (×{math.exp(taste['affinity']):.1f})"


def _favourite_day(shares: Sequence[float]) -> str:
    top = max(range(7), key=lambda day: shares[day])
    return f", mostly on {_WEEKDAYS[top]}" if shares[top] >= 0.25 else ""
