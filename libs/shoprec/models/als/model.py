"""Implicit alternating least squares (Hu, Koren and Volinsky 2008, https://doi.org/10.1109/ICDM.2008.22), on Spark.

The settings of regularisation are those of Rendle et al. 2021 (https://arxiv.org/abs/2110.14037, section 4).
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.models.als import spark_ml
from shoprec.models.als.config import AlsConfig
from shoprec.models.als.rounds import Rounds
from shoprec.models.embeddings import named
from shoprec.reuse import reused
from shoprec.training.storage import Folder


def fit(
    samples: DataFrame,
    user_index: DataFrame,
    item_index: DataFrame,
    config: AlsConfig,
    folder: Folder,
    seed: int,
    start: tuple[DataFrame, DataFrame] | None = None,
) -> tuple[DataFrame, DataFrame]:
    """Embeddings of the users and items that have samples.

    :param samples: user_idx, item_idx (>= 0), weight (> 0); the rows of one pair add up
    :param user_index: user_id, user_idx
    :param item_index: item_id, item_idx
    :param folder: for the work of this fit alone, emptied first; every task must reach it, and the returned frames read
        from it
    :param start: what an earlier fit of the same rank gave, to go on from; who is not in it starts at random
    :return: (user_id, vector array<float>), (item_id, vector array<float>); the dot product is the predicted preference
    :raises ValueError: a weight is not finite and above 0, a number is below 0, alpha times a weight or a vector is
        beyond single precision, or a row's equations have no single solution; most of it within the Spark job
        (``spark_ml`` checks none of it)
    """
    own = samples.select(F.col("user_idx").cast("int"), F.col("item_idx").cast("int"), F.col("weight").cast("float"))
    if config.solver == "spark_ml":
        weight = F.sum(F.col("weight").cast("double")).cast("float").alias("weight")
        with reused(own.groupBy("user_idx", "item_idx").agg(weight)) as pairs:
            made = spark_ml.fit(pairs, config, seed)
    else:
        with reused(own) as held:
            rounds = Rounds(held, config, folder, seed)
            known_users, known_items = start or (None, None)
            rounds.begin("user", known_users and known_users.join(user_index, on="user_id"))
            rounds.begin("item", known_items and known_items.join(item_index, on="item_id"))
        for _ in range(config.iterations):
            rounds.solve("item")
            rounds.solve("user")
        made = rounds.vectors("user"), rounds.vectors("item")
    return named(made[0], user_index, "user"), named(made[1], item_index, "item")
