"""What users did: what they had bought before the lists' day, and what they bought in the days that judge the lists."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.evaluation.config import ACTIVITY
from shoprec.moments import midnight


def truth(interactions: DataFrame, lists_day: date, judged_until: date) -> DataFrame:
    """One row a pair of user and item with a purchase before ``judged_until``.

    ``interactions``: event_at, type, user_id, item_id. Gives user_id, item_id, known (bought before ``lists_day``)
    and relevant (bought in [lists_day, judged_until)). Days begin at midnight UTC. A pair may be both.
    """
    start, end = midnight(lists_day), midnight(judged_until)
    return (
        interactions.where((F.col("type") == "purchase") & (F.col("event_at") < end))
        .groupBy("user_id", "item_id")
        .agg(
            F.max(F.col("event_at") < start).alias("known"),
            F.max(F.col("event_at") >= start).alias("relevant"),
        )
    )


def truth_of(before: DataFrame, then: DataFrame) -> DataFrame:
    """As ``truth``, of rows that lie in two tables: user_id, item_id."""
    both = before.select("user_id", "item_id", F.lit(True).alias("known"), F.lit(False).alias("relevant")).unionByName(
        then.select("user_id", "item_id", F.lit(False).alias("known"), F.lit(True).alias("relevant"))
    )
    return both.groupBy("user_id", "item_id").agg(F.max("known").alias("known"), F.max("relevant").alias("relevant"))


def last_purchase(interactions: DataFrame, judged_until: date) -> date | None:
    """The day of the last purchase before ``judged_until``, whenever it was known; None where there is none.

    ``interactions``: event_at, type. Later days were not taken in, or nothing was sold in them.
    """
    bought = interactions.where((F.col("type") == "purchase") & (F.col("event_at") < midnight(judged_until)))
    return bought.agg(F.max(F.to_date("event_at"))).first()[0]


def buyers(truth: DataFrame, user_index: DataFrame) -> DataFrame:
    """The users who bought something in the judged days: whose lists can be judged, where lists could be made.

    ``user_index``: user_id, interactions (known purchases, lines). Gives user_id, segment (see ``activity``; null for
    a user not known on the lists' day, for whom no list could be made), relevant_all and relevant_new (items bought
    in the judged days; of these, never bought before) and known_items (distinct items bought before).
    ``relevant_all`` is at least 1.
    """
    new = F.col("relevant") & ~F.col("known")
    bought = truth.groupBy("user_id").agg(
        F.sum(F.col("relevant").cast("int")).alias("relevant_all"),
        F.sum(new.cast("int")).alias("relevant_new"),
        F.sum(F.col("known").cast("int")).alias("known_items"),
    )
    segments = user_index.crossJoin(F.broadcast(activity_bounds(user_index))).select(
        "user_id", activity(F.col("interactions"), F.col("bounds")).alias("segment")
    )
    return bought.where("relevant_all > 0").join(segments, on="user_id", how="left")


def activity_bounds(user_index: DataFrame) -> DataFrame:
    """One row: ``bounds``, the known purchases (lines) below or at which a third and two thirds of known users lie."""
    thirds = F.percentile_approx("interactions", F.array(F.lit(1 / 3), F.lit(2 / 3)), 10_000)
    return user_index.agg(thirds.alias("bounds"))


def activity(interactions: Column, bounds: Column) -> Column:
    """The activity segment of a user by known purchases: low up to the first bound, mid up to the second, else high."""
    low, mid, high = (F.lit(name) for name in ACTIVITY)
    return F.when(interactions <= bounds[0], low).when(interactions <= bounds[1], mid).otherwise(high)


def item_facts(items: DataFrame, users: DataFrame, truth: DataFrame) -> DataFrame:
    """The catalogue of the judged lists: items known on the lists' day, and any others sold until they were judged.

    ``items`` (item_features): item_id, department, category, users; ``users``: one row a user known then. Gives
    item_id, department and category ('' where the catalogue names none) and information, the self-information of the
    item in bits: -log2 of the share of users who had bought it, both counts raised by one (Zhou et al., "Solving the
    apparent diversity-accuracy dilemma", PNAS 2010). What few have bought is novel.
    """
    known = items.select("item_id", "department", "category", F.col("users").alias("buyers"))
    everyone = users.agg(F.count(F.lit(1)).alias("everyone"))
    share = (F.coalesce("buyers", F.lit(0)) + 1) / (F.col("everyone") + 1)
    return (
        known.join(truth.select("item_id").distinct(), on="item_id", how="full_outer")
        .crossJoin(F.broadcast(everyone))
        .select(
            "item_id",
            F.coalesce("department", F.lit("")).alias("department"),
            F.coalesce("category", F.lit("")).alias("category"),
            (-F.log2(share)).alias("information"),
        )
    )
