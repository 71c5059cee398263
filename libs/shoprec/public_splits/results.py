"""How good the lists for a public split are, by the measures of ``evaluation``."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.errors import ConfigError
from shoprec.evaluation.lists import subject_lists
from shoprec.evaluation.means import Means, means
from shoprec.evaluation.truth import truth_of
from shoprec.public_splits.splits import Protocol

_IDS = ("user_id", "item_id")

#: What each protocol is told by.
MEASURES: dict[Protocol, tuple[str, ...]] = {
    "leave_last_out": ("hit_rate", "ndcg"),
    "ratio": ("recall", "ndcg", "hit_rate"),
}


def figures(
    candidates: DataFrame, recommendations: DataFrame, train: DataFrame, test: DataFrame, known: DataFrame,
    metrics: Sequence[str], seen_left_out: bool,
) -> Means:  # fmt: skip
    """``means`` of ``fused`` and of each source.

    :param train: user_id, item_id, as of ``test``
    :param known: user_index
    :param seen_left_out: judge lists without what the user has in the train part
    """
    lists = subject_lists(candidates, recommendations)
    return means(lists, truth_of(train, test), known, metrics, "discovery" if seen_left_out else "all")


def checked(protocol: Protocol, train: DataFrame, test: DataFrame) -> dict[str, int]:
    """What is told of a split beside its figures: users and pairs of its test part, and what the train part lacks.

    :raises ConfigError: it cannot be what ``protocol`` says, or none of its users or items is known
    """
    pairs = test.select("user_id", "item_id").distinct()
    users, items = (train.select(name).distinct().withColumn(f"knows_{name}", F.lit(True)) for name in _IDS)
    seen = train.select(*_IDS).distinct().withColumn("seen", F.lit(True))
    told = pairs.join(users, on="user_id", how="left").join(items, on="item_id", how="left")
    told = told.join(seen, on=list(_IDS), how="left")
    by_user = told.groupBy("user_id").agg(
        F.count(F.lit(1)).alias("pairs"), F.count("seen").alias("seen"), F.count("knows_item_id").alias("known_items"),
        F.first("knows_user_id").alias("known"),
    )  # fmt: skip
    found = by_user.agg(
        F.count(F.lit(1)).alias("test_users"), F.sum("pairs").alias("test_pairs"),
        (F.count(F.lit(1)) - F.count("known")).alias("unknown_users"),
        (F.sum("pairs") - F.sum("known_items")).alias("pairs_of_unknown_items"),
        F.sum("seen").alias("pairs_in_train"), F.count_if(F.col("pairs") > 1).alias("several"),
    ).first().asDict()  # fmt: skip
    several = found.pop("several")
    if protocol == "leave_last_out" and several:
        raise ConfigError(
            f"{several:,} of {found['test_users']:,} users have more than one test item: leave_last_out has one a user "
            "— is it a ratio split, or are train and test in each other's place?"
        )
    names = (("unknown_users", "test_users", "user"), ("pairs_of_unknown_items", "test_pairs", "item"))
    for unknown, of, what in names:
        if found[unknown] == found[of]:
            raise ConfigError(f"the train part knows no {what} of the test part: are their ids written alike?")
    return found
