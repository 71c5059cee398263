"""One figure for each subject's lists: the mean of a measure of relevance over all users who bought something."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.evaluation.lists import judged_lists
from shoprec.evaluation.measures import relevance
from shoprec.evaluation.truth import buyers

#: Sums of floats differ in their last digits with the order of the rows.
_DIGITS = 9

Means = dict[str, dict[str, float]]


def means(lists: DataFrame, pairs: DataFrame, known: DataFrame, metrics: Sequence[str], wanted: str) -> Means:
    """By subject the mean of each metric; a user for whom there is no list, or who was not known, counts as 0.

    What there is to find is all that a user bought then, also what a list without earlier items cannot hold.

    :param lists: as of ``lists.subject_lists``
    :param pairs: as of ``truth.truth``
    :param known: user_index
    :param metrics: as ``ndcg@10``
    :param wanted: all, or discovery: lists without what the user had bought before
    """
    bought = buyers(pairs, known)
    users, total = bought.where("segment IS NOT NULL"), bought.count()
    judged = judged_lists(lists, pairs, users).where(F.col("list") == wanted)
    relevant = users.select("user_id", F.col("relevant_all").alias("relevant"))
    by_user = judged.join(relevant, on="user_id", how="inner")
    sums = by_user.groupBy("subject").agg(*(F.sum(relevance(*_parts(name))).alias(name) for name in metrics))
    return {row["subject"]: {name: round(row[name] / total, _DIGITS) for name in metrics} for row in sums.collect()}


def _parts(name: str) -> tuple[str, int]:
    kind, depth = name.split("@")
    return kind, int(depth)
