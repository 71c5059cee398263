"""The lists that are judged: every source's and the fused one, each as it is and cut down to items new to the user."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from shoprec.evaluation.config import CUTOFFS, FUSED

#: A source makes one list, judged both ways; the fused list is made once for each way.
_EITHER = "either"
_MADE = ("subject", "made_for", "user_id")


def subject_lists(candidates: DataFrame, recommendations: DataFrame) -> DataFrame:
    """Every list of a run in one shape: subject, made_for, user_id, item_id, rank.

    ``candidates``: source, user_id, item_id, rank. ``recommendations``: list, user_id, item_id, rank. A user has one
    list of each kind, whose ranks count from 1 without gaps.
    """
    fused = recommendations.select(
        F.lit(FUSED).alias("subject"), F.col("list").alias("made_for"), "user_id", "item_id", "rank"
    )
    return source_lists(candidates).unionByName(fused)


def source_lists(candidates: DataFrame) -> DataFrame:
    """As ``subject_lists``, of sources alone."""
    return candidates.select(
        F.col("source").alias("subject"), F.lit(_EITHER).alias("made_for"), "user_id", "item_id", "rank"
    )


def rank_by_score(scores: DataFrame) -> DataFrame:
    """Adds ``rank`` (1: highest score) to each user's list of scored items: subject, user_id, item_id, score.

    Equal scores are ordered by a hash of user and item: ordered by item, a tie would favour the same items for every
    user, and a source that gives one score to all would be judged by the order of the catalogue.
    """
    order = (F.col("score").desc(), F.xxhash64("user_id", "item_id"))
    return scores.withColumn("rank", F.row_number().over(Window.partitionBy("subject", "user_id").orderBy(*order)))


def judged_lists(lists: DataFrame, truth: DataFrame, users: DataFrame) -> DataFrame:
    """One row a list that is judged: subject, made_for, user_id, segment, list, length, hits, top.

    ``lists`` as of ``subject_lists``, ``truth`` and ``users`` as of the module truth. A list 'all' is the list as
    made, judged on every purchase; a list 'discovery' leaves out what the user had bought before and closes the
    gaps, judged on items new to the user. ``length`` counts its items, ``hits`` are the positions, rising from 1, of
    items that the user then bought, and ``top`` says for position 1, 2, … down to the deepest cutoff which rank of
    the list as made stands there. Empty lists, and those with nothing relevant to find, have no row.

    The rows of lists are touched twice: here to mark the few that the user ever bought, and in ``top_items``. They
    are never sorted, and nothing but the marked ones is gathered by user.
    """
    wanted = users.select("user_id", "segment", "relevant_new")
    pairs = truth.join(wanted.select("user_id"), on="user_id", how="left_semi")
    marks = (
        lists.join(pairs.hint("shuffle_hash"), on=["user_id", "item_id"], how="inner")
        .groupBy(*_MADE)
        .agg(
            _ranks(F.col("known")).alias("known"),
            _ranks(F.col("relevant")).alias("hits"),
            _ranks(F.col("relevant") & ~F.col("known")).alias("new_hits"),
        )
    )
    made = (
        lists.groupBy(*_MADE)
        .agg(F.count(F.lit(1)).cast("int").alias("rows"), F.max("rank").alias("last"))
        .join(wanted, on="user_id", how="inner")
        .join(marks, on=list(_MADE), how="left")
        .select(*_MADE, "segment", "relevant_new", _length().alias("length"),
                *(F.coalesce(name, F.array().cast("array<int>")).alias(name) for name in ("known", "hits", "new_hits")))
    )  # fmt: skip
    return made.select(*_MADE, "segment", F.inline(_both_ways()))


def _ranks(wanted: Column) -> Column:
    return F.sort_array(F.collect_list(F.when(wanted, F.col("rank"))))


def _length() -> Column:
    message = F.format_string(
        "list of %s for user %s: %d rows but a last rank of %d — ranks must count from 1 without gaps or repeats, one "
        "list a user; mend the job that wrote it",
        "subject", "user_id", "rows", "last",
    )  # fmt: skip
    return F.when(F.col("rows") == F.col("last"), F.col("rows")).otherwise(F.raise_error(message))


def _both_ways() -> Column:
    """The list as made and the list of new items, as an array of (list, length, hits, top), without empty ones."""
    ranks = F.sequence(F.lit(1), "length")
    new_ranks = F.array_except(ranks, "known")
    new_hits = F.transform("new_hits", lambda hit: hit - F.size(F.filter("known", lambda known: known < hit)))
    depth = max(CUTOFFS)
    ways = F.array(
        F.struct(
            F.lit("all").alias("list"),
            F.col("length").alias("length"),
            F.col("hits").alias("hits"),
            F.slice(ranks, 1, depth).alias("top"),
        ),
        F.struct(
            F.lit("discovery").alias("list"),
            (F.col("length") - F.size("known")).alias("length"),
            new_hits.alias("hits"),
            F.slice(new_ranks, 1, depth).alias("top"),
        ),
    )
    made_for = F.col("made_for")
    return F.filter(
        ways,
        lambda way: (
            (made_for.isin(_EITHER) | (made_for == way["list"]))
            & ((way["list"] == "all") | (F.col("relevant_new") > 0))
            & (way["length"] > 0)
        ),
    )


def top_items(lists: DataFrame, judged: DataFrame) -> DataFrame:
    """The items down to the deepest cutoff of every judged list: subject, list, user_id, segment, item_id, position.

    ``lists`` as of ``subject_lists``, ``judged`` as of ``judged_lists``.
    """
    tops = judged.select(*_MADE, "segment", "list", "top")
    return (
        lists.join(tops, on=list(_MADE), how="inner")
        .withColumn("position", F.array_position("top", F.col("rank")).cast("int"))
        .where("position > 0")
        .select("subject", "list", "user_id", "segment", "item_id", "position")
    )
