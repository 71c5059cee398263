"""The same factorisation by Spark ML, for comparison. It scales lambda by each row's number of samples."""

from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.models.als.config import AlsConfig

#: Blocks of users and of items: tasks of one round.
BLOCKS = 4


def fit(pairs: DataFrame, config: AlsConfig, seed: int) -> tuple[DataFrame, DataFrame]:
    """Vectors of the users and items of the pairs.

    :param pairs: user_idx, item_idx, weight (> 0); one row a pair
    :return: (user_idx, vector array<float>), (item_idx, vector array<float>)
    """
    # ALS draws its first factors by partition and order of rows: fix both.
    ordered = pairs.repartition(BLOCKS, "user_idx").sortWithinPartitions("user_idx", "item_idx")
    als = ALS(
        rank=config.rank,
        maxIter=config.iterations,
        regParam=config.regularisation,
        alpha=config.alpha,
        implicitPrefs=True,
        userCol="user_idx",
        itemCol="item_idx",
        ratingCol="weight",
        numUserBlocks=BLOCKS,
        numItemBlocks=BLOCKS,
        seed=seed,
    )
    model = als.fit(ordered)
    users, items = (
        factors.select(F.col("id").alias(f"{kind}_idx"), F.col("features").alias("vector"))
        for factors, kind in ((model.userFactors, "user"), (model.itemFactors, "item"))
    )
    return users, items
