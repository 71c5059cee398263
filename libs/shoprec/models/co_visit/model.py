"""co_visit: what is bought soon after, and for less before, what a user bought last.

Item-to-item from ordered histories: pairs weigh less the more was bought between them, the older they are and the
longer the history is; similarities are divided by a power of popularity (as in the winning item-to-item models of
session data, for example Garg et al., 2019, "Sequence and time aware neighborhood for session-based recommendations",
https://doi.org/10.1145/3331184.3331322).
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.models.co_visit.config import CoVisitConfig
from shoprec.models.item_knn.model import named
from shoprec.moments import MICROS_A_DAY
from shoprec.retrieval.co_visits import CoVisitSettings, co_visits
from shoprec.retrieval.inputs import Inputs
from shoprec.retrieval.neighbour_scores import spoken_by_latest

CONFIG = CoVisitConfig


def followed(purchases: DataFrame, items: DataFrame, settings: CoVisitSettings) -> DataFrame:
    """Items that are bought after each other: item_id, neighbour_id, similarity, support (pairs of lines), rank.

    Ages are counted from the latest purchase of all.
    """
    end = purchases.agg(F.max("at").alias("end"))
    age = (F.col("end") - F.col("at")) / F.lit(float(MICROS_A_DAY))
    visits = purchases.join(F.broadcast(end), how="cross").select(
        F.col("user_id").alias("holder"), "item_idx", "at", age.alias("age_days")
    )
    return named(co_visits(visits, settings), items)


def propose(inputs: Inputs, near: DataFrame, config: CoVisitConfig, new: int, bought: int) -> DataFrame:
    """user_id, item_idx, score: the neighbours of the user's latest ``items``, summed by similarity x weight.

    The item that was bought last weighs 1, each one before it ``decay`` times what the next does.

    :param near: item_id, neighbour_id, similarity
    """
    return spoken_by_latest(inputs, near, config.items, config.decay, new, bought)
