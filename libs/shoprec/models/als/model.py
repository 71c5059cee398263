"""Implicit alternating least squares (Hu, Koren, Volinsky 2008) by Spark ML, over the observed samples."""

from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.models.als.config import AlsConfig
from shoprec.models.embeddings import named


def fit(
    samples: DataFrame, user_index: DataFrame, item_index: DataFrame, config: AlsConfig, seed: int
) -> tuple[DataFrame, DataFrame]:
    """Embeddings of the users and items that have samples.

    :param samples: user_idx, item_idx, weight (> 0); the rows of one pair add up
    :param user_index: user_id, user_idx
    :param item_index: item_id, item_idx
    :return: (user_id, vector array<float>), (item_id, vector array<float>); the dot product is the predicted
        preference. A vector that is not finite is left for the contract of its table to refuse.
    """
    pairs = samples.groupBy("user_idx", "item_idx").agg(F.sum(F.col("weight").cast("double")).alias("weight"))
    # ALS draws its first factors by partition and order of rows: fix both.
    ordered = pairs.repartition(config.blocks, "user_idx").sortWithinPartitions("user_idx", "item_idx")
    als = ALS(
        rank=config.rank,
        maxIter=config.iterations,
        regParam=config.regularisation,
        alpha=config.alpha,
        implicitPrefs=True,
        userCol="user_idx",
        itemCol="item_idx",
        ratingCol="weight",
        numUserBlocks=config.blocks,
        numItemBlocks=config.blocks,
        seed=seed,
    )
    model = als.fit(ordered)
    users, items = (
        factors.select(F.col("id").alias(f"{kind}_idx"), F.col("features").alias("vector"))
        for factors, kind in ((model.userFactors, "user"), (model.itemFactors, "item"))
    )
    return named(users, user_index, "user"), named(items, item_index, "item")
