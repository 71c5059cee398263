"""Out-of-fold figures: each candidate scored by trees that never saw its user, nor its item.

Trees can tell an item by its features, and remember how it sold in the very days that they learn from. That is no help
in the days that follow, and a figure that leaves out users alone does not show it.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from shoprec.ranking.config import FEATURES, RankingConfig
from shoprec.ranking.learner import folds
from shoprec.ranking.ranker import Ranker


def cell(seed: int, settings: RankingConfig) -> Column:
    """The number of the cell that a row lies in: the fold of its user and that of its item."""
    parts = folds(seed, settings)
    return parts["user_fold"] * settings.folds + parts["item_fold"]


def cross_fitted(sample: DataFrame, learn: Callable[[DataFrame], Ranker], parts: int) -> list[Ranker]:
    """The rankers that learnt without the users and the items of each cell, by its number, and the one that saw all.

    Two at a time: one alone leaves cores idle while it waits for the driver. The one that sees all takes longest, and
    goes first: last, it would keep one core alone.

    :param sample: as of ``ranking.learner.training_rows``
    :param parts: folds of users, and of items
    """
    cells = product(range(parts), repeat=2)
    others = [sample.where((F.col("user_fold") != user) & (F.col("item_fold") != item)) for user, item in cells]
    with ThreadPoolExecutor(2, thread_name_prefix="trees") as pool:
        whole, *made = pool.map(learn, [sample, *others])
    return [*made, whole]


def out_of_fold(labelled: DataFrame, rankers: Sequence[Ranker], number: Column, more: Sequence[str]) -> DataFrame:
    """Scores each row by the ranker of its ``number``: user_id, item_id, label, number, margin and what else is named.

    ``rankers[n]`` must have been trained without the users and the items of the rows of number n.
    """
    kept = ("user_id", "item_id", "label", "number", *more)
    rows = labelled.withColumn("number", number.cast("int"))
    fields = [field.simpleString().replace(":", " ", 1) for field in rows.select(*kept).schema]

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            numbers = batch.column("number").to_numpy()
            matrix = rankers[0].matrix(batch)
            margins = np.zeros(batch.num_rows)
            for own, ranker in enumerate(rankers):
                mine = numbers == own
                if mine.any():
                    margins[mine] = ranker.margins(matrix[mine])
            yield batch.select(kept).append_column("margin", pa.array(margins))

    return rows.select(*kept, FEATURES).mapInArrow(score, ", ".join([*fields, "margin double"]))


def ndcg(scored: DataFrame, bought: DataFrame, sources: Sequence[str], k: int) -> DataFrame:
    """One row: mean NDCG@k of the ranker ("fused") and of each source, and how many users were judged.

    ``scored`` as of ``out_of_fold``; ``bought``: user_id and item_id, the distinct purchases of the judged users. The
    best possible list holds all that a user bought, candidate or not; a user without candidates counts 0.
    """
    rank = F.row_number().over(
        Window.partitionBy("user_id").orderBy(F.desc("margin"), F.xxhash64("user_id", "item_id"))
    )
    subjects: Mapping[str, Column] = {"fused": F.col("rank_fused"), **{s: F.col(f"rank_{s}") for s in sources}}
    gains = {
        name: F.sum(F.when((place <= k) & (F.col("label") == 1), 1 / F.log2(place + 1.0)).otherwise(0.0))
        for name, place in subjects.items()
    }
    found = (
        scored.withColumn("rank_fused", rank).groupBy("user_id").agg(*(g.alias(f"gain_{n}") for n, g in gains.items()))
    )
    best = F.array(*(F.lit(sum(1 / math.log2(r + 1) for r in range(1, n + 1))) for n in range(1, k + 1)))
    wanted = bought.groupBy("user_id").agg(F.count(F.lit(1)).cast("int").alias("wanted"))
    ideal = F.element_at(best, F.least(F.col("wanted"), F.lit(k)))
    return wanted.join(found, on="user_id", how="left").agg(
        *(F.avg(F.coalesce(f"gain_{name}", F.lit(0.0)) / ideal).alias(name) for name in subjects),
        F.count(F.lit(1)).alias("users"),
    )
