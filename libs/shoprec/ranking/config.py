"""Settings of the rankers, and the columns that it learns from."""

from pydantic import Field

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

#: What buy_again says of a pair, on its own scale, which is the same for all users and days.
HABIT = "pair_habit"

#: Spans of days before the as-of date in which a pair's purchases are counted.
DAYS = (7, 14, 28, 56, 91)

#: Numbers of the user's latest visits among which those with the item are counted.
VISITS = (1, 3, 5, 10, 20)

#: Days, and visits of the user, after which a purchase counts half, beside the setting: short and long memories.
DAYS_MEMORIES = (14, 30)
VISITS_MEMORIES = (5, 40)

#: Percentages: what a period as long as a horizon counts of the one that followed it.
PERIODS_MEMORIES = (80, 90)

#: What a user's own purchases say of one item; ranking.pairs explains those of the pair, ranking.surroundings the rest.
PAIR_COLUMNS: tuple[str, ...] = (
    HABIT, "pair_days", *(f"pair_days_{n}" for n in DAYS),
    "pair_decayed", *(f"pair_decayed_{n}" for n in DAYS_MEMORIES),
    "pair_age", "pair_first_age", "pair_gap", "pair_last_gap", "pair_overdue", "pair_item_overdue",
    "pair_visits", *(f"pair_last_visits_{n}" for n in VISITS), *(f"pair_habit_{n}" for n in VISITS_MEMORIES),
    "pair_visit_gap", "pair_visit_rate", "pair_visits_missed", "pair_visit_share", "pair_expected",
    "pair_period_rate", *(f"pair_periods_{n}" for n in PERIODS_MEMORIES), "pair_habit_share",
    "pair_units", "pair_spend_share", "department_affinity", "category_affinity", "category_days", "category_age",
    "category_items", "category_part", "subcategory_affinity", "subcategory_days", "subcategory_age",
    "subcategory_part", "brand_affinity", "brand_days", "price_ratio", "price_gap",
)  # fmt: skip


class RankingConfig(Settings):
    """Settings of the job recommendations."""

    sources: tuple[str, ...] = Field(
        SOURCES, min_length=1, description="sources that are fused; candidates of others are left out"
    )
    k: int = Field(50, ge=20, le=200, description="items a list, 20 to 200; fewer where the sources propose fewer")
    half_life_days: float = Field(60, ge=1, le=1000, description="days after which a purchase counts half, 1 to 1000")
    training_users: int = Field(
        200_000, ge=100, le=5_000_000,
        description="most users that the ranker learns and is judged on, taken by a hash of the user, 100 to 5,000,000",
    )  # fmt: skip
    negative_share: float = Field(
        0.5, gt=0.001, le=1, description="share of candidates without a purchase that is learnt from, 0.001 to 1"
    )
    folds: int = Field(2, ge=2, le=5, description="parts of users, and of items, for the cross-fitted figures, 2 to 5")
    workers: int = Field(
        2, ge=1, le=256,
        description="Spark tasks that train together, each on a core of its own, 1 to 256; 1: one task holds all rows",
    )  # fmt: skip
    trees: int = Field(150, ge=1, le=2000, description="boosting rounds, 1 to 2000")
    depth: int = Field(4, ge=1, le=12, description="levels of a tree, 1 to 12")
    learning_rate: float = Field(0.05, gt=0, le=1, description="share of each tree's correction that is kept, up to 1")
    min_child_weight: float = Field(50, ge=0, le=1e6, description="least sum of hessians in a leaf, 0 to 1,000,000")
    column_share: float = Field(0.7, gt=0, le=1, description="share of columns that each tree may use, up to 1")
    bins: int = Field(128, ge=8, le=1024, description="histogram bins a column, 8 to 1024")
    category_discount: float = Field(
        0.02, ge=0, lt=1,
        description="what each item loses, as a share, for every better item of its category in the list, 0 to below 1",
    )  # fmt: skip
    category_cap: int = Field(20, ge=1, le=200, description="most items of one category in a list, 1 to 200")
    reasons: int = Field(3, ge=1, le=5, description="most reasons an item, 1 to 5")
