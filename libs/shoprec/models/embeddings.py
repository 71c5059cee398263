"""What the models of embeddings share."""

from pyspark.sql import DataFrame


def named(vectors: DataFrame, index: DataFrame, kind: str) -> DataFrame:
    """(``kind``_id, vector) of the vectors by ``kind``_idx whose id the index knows; ``kind`` is user or item."""
    found = vectors.join(index.select(f"{kind}_id", f"{kind}_idx"), on=f"{kind}_idx", how="inner")
    return found.select(f"{kind}_id", "vector")
