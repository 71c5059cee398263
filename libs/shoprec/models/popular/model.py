"""popular: the items bought most in the user's home market of late, small markets leaning on the whole shop."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.models.popular.config import PopularConfig
from shoprec.retrieval.inputs import Inputs, age_days, decay, exact_sum
from shoprec.retrieval.lists import best_of, considered, for_users

CONFIG = PopularConfig


def propose(inputs: Inputs, config: PopularConfig, new: int, bought: int) -> DataFrame:
    """user_id, item_idx, score: each user's share of the home market's list."""
    return for_users(inputs.hold(market_lists(inputs, config)), inputs.users, new, bought)


def market_lists(inputs: Inputs, config: PopularConfig) -> DataFrame:
    """market, item_idx, item_id, score: the share of the market's decayed purchases that the item has, with a prior.

    score = (c(i, m) + prior · s(i)) / (c(m) + prior), where c are decayed purchase lines and s(i) is the item's share
    in the whole shop. A market without purchases gets the whole shop's list. One list a home market of any user.
    """
    weight = exact_sum(decay(age_days(inputs.as_of), config.half_life_days))
    by_market = inputs.hold(inputs.purchases.groupBy("market", "item_idx").agg(weight.alias("count")))
    shop = by_market.groupBy("item_idx").agg(F.sum("count").alias("count"))
    total = shop.agg(F.sum("count").alias("total"))
    share = shop.join(F.broadcast(total), how="cross").withColumn("share", F.col("count") / F.col("total"))
    share = share.join(inputs.offered, on="item_idx", how="inner").select("item_idx", "item_id", "share")
    markets = inputs.users.select("market").distinct()
    local = by_market.join(markets, on="market", how="left_semi")
    sums = local.groupBy("market").agg(F.sum("count").alias("sum"))
    # An item that the market never bought can enter its list only by its share in the whole shop.
    widest = share.orderBy(F.desc("share"), F.xxhash64("item_idx"), "item_idx").limit(config.length)
    in_market = F.coalesce("sum", F.lit(0.0))
    scored = (
        considered(local, markets, widest.select("item_idx"))
        .join(share, on="item_idx", how="inner")
        .join(sums, on="market", how="left")
        .withColumn("score", (F.col("count") + config.prior * F.col("share")) / (in_market + config.prior))
    )
    return best_of(scored.where("score > 0"), "market", config.length)
