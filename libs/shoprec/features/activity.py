"""How recently, how often and how much a user buys, and where in their rhythm they stand."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.features.config import ProfileSettings
from shoprec.features.declare import feature

BASKETS = ("user_id", "basket", "at", "age_days", "lines", "returned", "cents", "units")

ACTIVITY = (
    "user_id", "recency_days", "tenure_days", "baskets", "baskets_28d", "baskets_91d", "lines", "frequency",
    "spend", "spend_28d", "spend_91d", "basket_spend", "basket_lines", "basket_units",
    "gap_count", "gap_days", "gap_spread_days", "return_rate",
)  # fmt: skip

#: The expected gap of a shop in which nobody has bought on two days yet.
_FIRST_GAP_DAYS = 28.0


@feature(
    needs={"lines": ("user_id", "basket", "event_at", "age_days", "bought", "quantity", "cents")},
    gives=BASKETS,
)
def baskets(lines: DataFrame) -> DataFrame:
    """One row a basket: at and age_days of its first line, lines bought and returned, money and units less returns.

    A basket of returns alone has lines = 0: its money counts, it does not.
    """
    return lines.groupBy("user_id", "basket").agg(
        F.min("event_at").alias("at"),
        F.max("age_days").alias("age_days"),
        F.count_if("bought").alias("lines"),
        F.count_if(~F.col("bought")).alias("returned"),
        F.sum("cents").alias("cents"),
        F.sum("quantity").alias("units"),
    )


@feature(needs={"baskets_": BASKETS}, gives=ACTIVITY)
def activity(baskets_: DataFrame) -> DataFrame:
    """Recency, frequency, spend, basket size and gaps of the users who bought at least once.

    A gap is the time between two successive days of purchase; at most one entry a day is held for a user.
    """
    bought = F.col("lines") > 0
    users = baskets_.groupBy("user_id").agg(
        F.min(F.when(bought, F.col("age_days"))).alias("recency_days"),
        F.max(F.when(bought, F.col("age_days"))).alias("tenure_days"),
        F.count_if(bought).alias("baskets"),
        F.count_if(bought & (F.col("age_days") <= 28)).alias("baskets_28d"),
        F.count_if(bought & (F.col("age_days") <= 91)).alias("baskets_91d"),
        F.sum("lines").alias("lines"),
        F.sum("returned").alias("returned"),
        F.sum("cents").alias("cents"),
        F.sum(F.when(F.col("age_days") <= 28, F.col("cents")).otherwise(0)).alias("cents_28d"),
        F.sum(F.when(F.col("age_days") <= 91, F.col("cents")).otherwise(0)).alias("cents_91d"),
        F.sum("units").alias("units"),
        F.collect_set(F.when(bought, F.unix_date(F.to_date("at")))).alias("days"),
    )
    gaps = _gaps(F.sort_array("days"))
    return (
        users.where("baskets > 0")
        .withColumn("gaps", gaps)
        .withColumns(
            {
                "frequency": F.col("baskets") * 28 / F.greatest("tenure_days", F.lit(28.0)),
                "spend": _money("cents"),
                "spend_28d": _money("cents_28d"),
                "spend_91d": _money("cents_91d"),
                "basket_spend": F.col("cents") / 100 / F.col("baskets"),
                "basket_lines": F.col("lines") / F.col("baskets"),
                "basket_units": F.col("units") / F.col("baskets"),
                "gap_count": F.size("gaps"),
                "gap_days": F.when(F.size("gaps") > 0, _mean("gaps")),
                "gap_spread_days": F.when(F.size("gaps") > 1, _spread("gaps")),
                "return_rate": F.col("returned") / F.col("lines"),
            }
        )
    )


@feature(
    needs={"users": ("user_id", "recency_days", "tenure_days", "gap_days", "gap_count")},
    gives=("user_id", "rhythm", "stage"),
)
def lifecycle(users: DataFrame, settings: ProfileSettings) -> DataFrame:
    """Where each user stands against the gap that is expected of them.

    The expected gap is the user's mean, with ``gap_prior`` gaps of the population's mean added: users with few
    purchases are judged by everyone's rhythm, others by their own. ``rhythm`` = recency / expected gap.

    :param users: gap_count: gaps that gap_days is the mean of (0: gap_days is null)
    """
    days = F.coalesce(F.col("gap_days") * F.col("gap_count"), F.lit(0.0))
    usual = users.agg((F.sum(days) / F.nullif(F.sum("gap_count"), F.lit(0))).alias("usual"))
    prior = settings.gap_prior
    usual_gap = F.coalesce("usual", F.lit(_FIRST_GAP_DAYS))
    expected = (days + prior * usual_gap) / (F.col("gap_count") + prior)
    stage = (
        F.when(F.col("tenure_days") < settings.new_days, "new")
        .when(F.col("rhythm") <= settings.lapsing_after, "active")
        .when(F.col("rhythm") <= settings.lapsed_after, "lapsing")
        .otherwise("lapsed")
    )
    return (
        users.join(F.broadcast(usual), how="cross")
        .withColumn("rhythm", F.col("recency_days") / expected)
        .withColumn("stage", stage)
    )


def _gaps(days: Column) -> Column:
    """Differences of successive elements of a sorted array."""
    later = F.slice(days, F.lit(2), F.size(days))
    return F.filter(F.zip_with(later, days, lambda b, a: b - a), lambda gap: gap.isNotNull())


def _mean(name: str) -> Column:
    return F.aggregate(name, F.lit(0.0), lambda total, gap: total + gap) / F.size(name)


def _spread(name: str) -> Column:
    mean = _mean(name)
    squares = F.aggregate(name, F.lit(0.0), lambda total, gap: total + (gap - mean) * (gap - mean))
    return F.sqrt(squares / (F.size(name) - 1))


def _money(name: str) -> Column:
    return (F.col(name).cast("decimal(20,0)") / 100).cast("decimal(18,2)")
