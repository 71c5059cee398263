"""The texts of items in a training snapshot: each vector once, however many items share it."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def item_texts(
    item_index: DataFrame, item_features: DataFrame, text_embeddings: DataFrame, encoder: str, wanted: bool = True
) -> DataFrame:
    """(item_idx, text_idx, vector) of items with a text vector; items with one text share its text_idx.

    Where no encoder is told, it is that of the most items. A text's number is that of its first item, so that numbering
    needs no order over all texts.

    :param wanted: False for a model that does without: no rows
    """
    hashed = item_index.select("item_id", "item_idx").join(
        item_features.select("item_id", "text_hash").where("text_hash is not null"), on="item_id", how="inner"
    )
    found = hashed.join(text_embeddings.where(F.lit(wanted)), on="text_hash", how="inner")
    if encoder:
        found = found.where(F.col("encoder") == encoder)
    else:
        covered = found.groupBy("encoder").agg(F.count(F.lit(1)).alias("n")).orderBy(F.desc("n"), "encoder").limit(1)
        found = found.join(F.broadcast(covered.select("encoder")), on="encoder", how="left_semi")
    same_text = Window.partitionBy("text_hash")
    return found.select("item_idx", F.min("item_idx").over(same_text).alias("text_idx"), "vector")


def of_texts(texts: DataFrame) -> DataFrame:
    """text_idx, vector: each text of ``item_texts`` once."""
    return texts.where("item_idx = text_idx").select("text_idx", "vector")
