"""Settings of the rankers, and the columns that it learns from."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from shoprec.contracts.gold import SOURCES
from shoprec.settings import Settings

#: Columns of user_profiles that the ranker sees, as user_<name>.
USER_COLUMNS: tuple[str, ...] = (
    "recency_days", "tenure_days", "baskets", "baskets_28d", "baskets_91d", "items", "frequency", "basket_spend",
    "basket_lines", "gap_days", "repeat_rate", "rhythm", "category_breadth", "taste_distance", "price_level",
    "discount_depth", "offer_response", "coupon_response", "display_response", "mailer_response",
)  # fmt: skip

#: Columns of item_features that the ranker sees, as item_<name>.
ITEM_COLUMNS: tuple[str, ...] = (
    "lines_7d", "lines_28d", "lines_91d", "users_7d", "users_28d", "users_91d", "users", "trend_7d", "trend_28d",
    "age_days", "idle_days", "category_share", "price_level", "price", "discount_depth", "discount_frequency",
    "coupon_frequency", "promotion_share", "display_now", "mailer_now", "repeat_rate", "repurchase_days",
    "seasonality", "season_now", "basket_items", "co_purchase",
)  # fmt: skip

#: What a ranker sees of a row, packed.
FEATURES = "features"

#: What buy_again says of a pair, on its own scale, which is the same for all users and days.
HABIT = "pair_habit"

#: What the ranker of known items says of a pair: log-odds, or nothing.
ODDS = "pair_odds"

#: Spans of days in which an item's first purchases by its buyers are counted, the longest last.
FIRSTS = (3, 7, 14, 28, 91)

#: How an item is promoted in a store: columns of silver.promotions.
PROMOTED_IN = ("mailer", "display")

#: What ``ranking.plans`` says of an item's promotions: a share of the store-days to come, and of those lately.
PLANS = tuple(f"{way}_{when}" for way in PROMOTED_IN for when in ("ahead", "lately"))

#: The same, and the mean of it over what the other items of its subcategory sold.
PROMOTED = (*PLANS, *(f"rival_{name}" for name in PLANS))

#: What ``ranking.item_facts`` says of an item's first purchases and promotions, as item_<name>.
FACT_COLUMNS: tuple[str, ...] = (
    *(f"firsts_{n}d" for n in FIRSTS),
    "firsts_3d_of_14d", "firsts_7d_of_28d", "firsts_7d_of_91d", "firsts_28d_of_91d", "first_share",
    "subcategory_7d", "subcategory_28d", "subcategory_91d", "subcategory_part", "subcategory_share", *PROMOTED,
)  # fmt: skip

#: What a user's own purchases say of one item; ranking.surroundings explains them.
PAIR_COLUMNS: tuple[str, ...] = (
    HABIT, "pair_days", "pair_decayed", "pair_age", "pair_gap", "pair_overdue", "pair_item_overdue",
    "pair_visits_missed", "pair_visit_share", "pair_units", "pair_spend_share",
    "department_affinity", "category_affinity", "category_days", "category_age", "category_items", "category_part",
    "subcategory_affinity", "subcategory_days", "subcategory_age", "subcategory_part", "subcategory_firsts",
    "subcategory_lift", "brand_affinity", "brand_days", "line_items", "price_ratio", "price_gap",
)  # fmt: skip


class Trees(Settings):
    """Settings of gradient boosted trees."""

    rounds: int = Field(150, ge=1, le=2000, description="boosting rounds, 1 to 2000")
    depth: int = Field(4, ge=1, le=12, description="levels of a tree, 1 to 12")
    learning_rate: float = Field(0.05, gt=0, le=1, description="share of each tree's correction that is kept, up to 1")
    min_child_weight: float = Field(
        50,
        ge=0,
        le=1e6,
        description="least sum of hessians in a leaf, 0 to 1,000,000; at most a twelfth of the purchases' weight",
    )
    column_share: float = Field(0.7, gt=0, le=1, description="share of columns that each tree may use, up to 1")
    row_share: float = Field(1.0, gt=0, le=1, description="share of rows that each tree learns from, up to 1")
    bins: int = Field(128, ge=8, le=1024, description="histogram bins a column, 8 to 1024")
    forest: int = Field(1, ge=1, le=100, description="trees that each round is the mean of, 1 to 100")
    negative_share: float = Field(
        0.5, gt=0.001, le=1, description="share of rows without a purchase that is learnt from, 0.001 to 1"
    )


#: The trees of known items: many columns that say much the same, of which each tree sees a few.
_KNOWN = {
    "rounds": 75, "learning_rate": 0.1, "min_child_weight": 30, "column_share": 0.3, "row_share": 0.7, "bins": 64,
}  # fmt: skip

#: The trees of new items: few purchases to learn from, so that single trees say much by chance, and means of them less.
#: Of the many candidates beside them, trees that see an eighth say as much as those that see a quarter.
_NEW = {
    "rounds": 75, "learning_rate": 0.1, "column_share": 0.15, "row_share": 0.7, "forest": 4, "negative_share": 0.125,
}  # fmt: skip


class RankingConfig(Settings):
    """Settings of the job recommendations."""

    sources: tuple[str, ...] = Field(
        SOURCES, min_length=1, description="sources that are fused; candidates of others are left out"
    )
    k: int = Field(50, ge=20, le=200, description="items a list, 20 to 200; fewer where the sources propose fewer")
    half_life_days: float = Field(60, ge=1, le=1000, description="days after which a purchase counts half, 1 to 1000")
    training_users: int = Field(
        200_000, ge=100, le=5_000_000,
        description="most users that the rankers learn and are judged on, by a hash of the user, 100 to 5,000,000",
    )  # fmt: skip
    windows: int = Field(
        3, ge=1, le=26,
        description="horizons before the as-of date whose purchases the ranker of known items learns from, 1 to 26",
    )  # fmt: skip
    folds: int = Field(2, ge=2, le=5, description="parts of users, and of items, for the cross-fitted figures, 2 to 5")
    workers: int = Field(
        2, ge=1, le=256,
        description="Spark tasks that train together, each on a core of its own, 1 to 256; 1: one task holds all rows",
    )  # fmt: skip
    known: Trees = Field(
        Trees(**_KNOWN),
        description="trees of items that the user bought before: rounds, depth, learning_rate, min_child_weight, "
        "column_share, row_share, bins, forest, negative_share; unsaid values as they come",
    )
    new: Trees = Field(Trees(**_NEW), description="trees of items new to the user, likewise")
    new_weight: float = Field(
        0.5, gt=0, le=1,
        description="what the probability of an item new to the user counts beside known ones, which have a ranker of "
        "their own: it is learnt from one horizon, and holds less in the next; above 0, to 1",
    )  # fmt: skip
    category_discount: float = Field(
        0.02, ge=0, lt=1,
        description="what each item loses, as a share, for every better item of its category in the list, 0 to below 1",
    )  # fmt: skip
    category_cap: int = Field(20, ge=1, le=200, description="most items of one category in a list, 1 to 200")
    reasons: int = Field(3, ge=1, le=5, description="most reasons an item, 1 to 5")

    @field_validator("known", "new", mode="before")
    @classmethod
    def _unsaid_as_they_come(cls, told: Any, of: ValidationInfo) -> Any:
        usual = {"known": _KNOWN, "new": _NEW}[of.field_name]
        return {**usual, **told} if isinstance(told, Mapping) else told
