"""How good the lists for a public split are, by the measures of ``evaluation``."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.evaluation.lists import judged_lists, subject_lists
from shoprec.evaluation.measures import relevance
from shoprec.evaluation.truth import buyers, truth_of
from shoprec.public_splits.splits import Protocol

#: What each protocol is told by.
MEASURES: dict[Protocol, tuple[str, ...]] = {
    "leave_last_out": ("hit_rate", "ndcg"),
    "ratio": ("recall", "ndcg", "hit_rate"),
}

Figures = dict[str, dict[str, float]]


def figures(
    candidates: DataFrame, recommendations: DataFrame, train: DataFrame, test: DataFrame, known: DataFrame,
    metrics: Sequence[str], seen_left_out: bool,
) -> Figures:  # fmt: skip
    """By subject (``fused`` and each source) the mean of each metric over all users with test items.

    A user for whom there is no list, or whom the train part does not know, counts as 0.

    :param train: user_id, item_id, as of ``test``
    :param known: user_index
    :param metrics: as ``ndcg@10``
    :param seen_left_out: judge lists without what the user has in the train part
    """
    pairs = truth_of(train, test)
    bought = buyers(pairs, known)
    users = bought.where("segment IS NOT NULL")
    total = bought.count()
    wanted = "discovery" if seen_left_out else "all"
    judged = judged_lists(subject_lists(candidates, recommendations), pairs, users).where(F.col("list") == wanted)
    by_user = judged.join(users.select("user_id", F.col("relevant_all").alias("relevant")), on="user_id")
    sums = by_user.groupBy("subject").agg(*(F.sum(relevance(*_parts(name))).alias(name) for name in metrics))
    return {row["subject"]: {name: row[name] / total for name in metrics} for row in sums.collect()}


def _parts(name: str) -> tuple[str, int]:
    kind, depth = name.split("@")
    return kind, int(depth)
