"""gold.item_features: the features of an item, put together."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.contracts.gold import ITEM_FEATURES
from shoprec.features.company import company
from shoprec.features.config import ItemFeatureSettings
from shoprec.features.popularity import category_shares, popularity
from shoprec.features.price import item_price_level, price_now
from shoprec.features.promotion import item_discounts, item_promotions
from shoprec.features.season import season
from shoprec.features.text import text_hash

CATALOGUE = ("name", "department", "category", "subcategory", "brand", "brand_type")

#: The contract's columns less those that the run adds.
FEATURES = tuple(name for name in ITEM_FEATURES.names if name not in ITEM_FEATURES.slice)


def item_features(
    bought: DataFrame,
    pairs: DataFrame,
    items: DataFrame,
    prices: DataFrame,
    promotions: DataFrame,
    as_of: date,
    settings: ItemFeatureSettings,
) -> DataFrame:
    """The features of every item of the catalogue, and of those sold that the catalogue lacks.

    :param bought: what ``pairs.basket_items`` gives
    :param pairs: what ``pairs.item_pairs`` gives for it
    :param items: silver.items, one row an item, valid at the as-of date
    :param prices: silver.prices, one row an item and market, valid at the as-of date
    :param promotions: silver.promotions
    :return: the columns of the contract, less as_of and run_id
    """
    catalogue = items.select("item_id", *CATALOGUE, text_hash(F.col("text")).alias("text_hash"))
    sold = popularity(pairs, settings)
    for part in (
        category_shares(pairs, items),
        item_price_level(pairs, items),
        item_discounts(pairs),
        season(bought, as_of, settings.season_prior),
        company(bought, settings.company_prior),
    ):
        sold = sold.join(part, on="item_id", how="left")
    features = (
        catalogue.join(sold, on="item_id", how="full")
        .join(price_now(prices), on="item_id", how="left")
        .join(item_promotions(promotions, as_of), on="item_id", how="left")
        .join(F.broadcast(_usual_repeat_rate(pairs)), how="cross")
    )
    return features.select(*(_known_or_none(name) for name in FEATURES))


def _usual_repeat_rate(pairs: DataFrame) -> DataFrame:
    """One row: the share of all buyers of an item who bought it again; what is expected of an item never sold."""
    usual = F.count_if(F.col("baskets") >= 2) / F.nullif(F.count("*"), F.lit(0))
    return pairs.agg(F.coalesce(usual, F.lit(0.0)).alias("usual_repeat_rate"))


def _known_or_none(name: str) -> Column:
    """What an item that was never sold or never promoted has in column ``name``."""
    column = ITEM_FEATURES.column(name)
    if column.nullable or name == "item_id":
        return F.col(name)
    if name == "repeat_rate":
        return F.coalesce(name, "usual_repeat_rate").alias(name)
    return F.coalesce(F.col(name), F.lit(0).cast(column.type)).alias(name)
