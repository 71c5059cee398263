"""trending: the items that sell more in the home market now than they used to, against the noise of their counts."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.models.trending.config import TrendingConfig
from shoprec.retrieval.inputs import Inputs, age_days
from shoprec.retrieval.lists import best_of, considered, for_users

CONFIG = TrendingConfig


def propose(inputs: Inputs, config: TrendingConfig, new: int, bought: int) -> DataFrame:
    """user_id, item_idx, score: each user's share of the home market's list."""
    return for_users(inputs.hold(market_lists(inputs, config)), inputs.users, new, bought)


def market_lists(inputs: Inputs, config: TrendingConfig) -> DataFrame:
    """market, item_idx, item_id, score: (now - usual) / sqrt(usual + shrink), the rise in units of its own noise.

    now = lines of the last ``recent_days``, usual = lines of the ``past_days`` before, brought to the same number of
    days; both hold the market's own and, as ``prior`` lines spread like the whole shop's, everyone's. Items that do
    not rise are left out. One list a home market of any user.
    """
    lines = inputs.purchases.withColumn("age", age_days(inputs.as_of))
    now, usual = _counts(config)
    by_market = inputs.hold(lines.groupBy("market", "item_idx").agg(now.alias("now"), usual.alias("usual")))
    shop = by_market.groupBy("item_idx").agg(F.sum("now").alias("shop_now"), F.sum("usual").alias("shop_usual"))
    total = shop.agg(F.sum("shop_now").alias("total"))
    markets = inputs.users.select("market").distinct()
    local = by_market.join(markets, on="market", how="left_semi")
    rising = shop.join(F.broadcast(total), how="cross").where("shop_now > 0")
    rising = rising.join(inputs.offered, on="item_idx", how="inner")
    per_line = F.lit(config.prior) / F.col("total")
    blend_now = F.col("now") + per_line * F.col("shop_now")
    blend_usual = F.col("usual") + per_line * F.col("shop_usual")
    shop_rise = (F.col("shop_now") - F.col("shop_usual")) / F.sqrt(F.col("shop_usual") + config.shrink)
    # Besides its own, a market considers what rises most in the whole shop.
    widest = rising.orderBy(shop_rise.desc(), F.xxhash64("item_idx"), "item_idx").limit(config.length)
    scored = (
        considered(local, markets, widest.select("item_idx"))
        .join(rising, on="item_idx", how="inner")
        .withColumn("score", (blend_now - blend_usual) / F.sqrt(blend_usual + config.shrink))
    )
    return best_of(scored.where("score > 0"), "market", config.length)


def _counts(config: TrendingConfig) -> tuple[Column, Column]:
    recent, past = config.recent_days, config.past_days
    age = F.col("age")
    now = F.count_if(age <= recent).cast("double")
    before = F.count_if((age > recent) & (age <= recent + past)).cast("double")
    return now, before * (recent / past)
