"""content: what is described like the items that a user met last (Rocchio's profile of what was relevant; Rocchio 1971,
"Relevance feedback in information retrieval"; Pazzani and Billsus 2007, https://doi.org/10.1007/978-3-540-72079-9_10).

An item is the vector of its text, of unit length; a user the sum of the latest items' vectors, each one before the last
weighing less, brought to unit length: scores are cosines. Items without a text have no vector, nor have users who met
no item with one.

Users are dealt to tasks; a task holds the vectors of those items alone that its users met, once each, and the sums of
its users: at 2,048 users of 20 items each and a width of 384 at most 63 MB and 3 MB.
"""

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy import sparse

from shoprec import arrow
from shoprec.models.content.config import ContentConfig
from shoprec.models.texts import item_texts
from shoprec.retrieval.latest import voices
from shoprec.retrieval.matches import tasks_for

#: Items a user for which a task's users are as many as elsewhere; of more, it has fewer users.
_USUAL = 20

_USERS = "user_id string, vector array<float>"


def fitted(
    purchases: DataFrame, item_index: DataFrame, item_features: DataFrame, text_embeddings: DataFrame,
    config: ContentConfig, users: int,
) -> tuple[DataFrame, DataFrame]:  # fmt: skip
    """(user_id, vector) and (item_id, vector), each of unit length.

    :param purchases: as of ``retrieval.inputs.purchases_of``
    :param item_index: item_id, item_idx
    :param item_features: item_id, text_hash (null: no text)
    :param text_embeddings: encoder, text_hash, vector
    :param users: how many there are, about
    """
    described = item_index, item_features, text_embeddings
    items = item_texts(*described, config.encoder).select("item_idx", "vector")
    tasks = tasks_for(purchases.sparkSession, users * -(-config.items // _USUAL))
    task = F.pmod(F.xxhash64(F.lit("task"), "user_id"), F.lit(tasks)).alias("task")
    told = voices(purchases, config.items, config.decay).select(task, "user_id", "item_idx", "weight")
    asked = told.select(F.col("task").alias("asking"), F.col("item_idx").alias("asked_idx")).distinct()
    needed = asked.join(items, on=F.col("asked_idx") == F.col("item_idx"), how="inner").select(
        "asking", "asked_idx", "vector"
    )
    summed = told.groupBy("task").cogroup(needed.groupBy("asking")).applyInArrow(_sums, _USERS)
    named = items.join(item_index.select("item_id", "item_idx"), on="item_idx", how="inner")
    return summed, named.select("item_id", "vector")


def _sums(told: pa.Table, needed: pa.Table) -> pa.Table:
    """The vectors of one task's users."""
    # In one order, whatever the shuffle's: floats do not add up alike in another.
    told = told.sort_by([("user_id", "ascending"), ("weight", "descending"), ("item_idx", "ascending")])
    needed = needed.sort_by("asked_idx")
    known, wanted = needed.column("asked_idx").to_numpy(), told.column("item_idx").to_numpy()
    place = np.searchsorted(known, wanted)
    there = (place < len(known)) & (known[np.minimum(place, len(known) - 1)] == wanted) if len(known) else place < 0
    names = arrow.column(told, "user_id").dictionary_encode()
    user, weight = names.indices.to_numpy(), told.column("weight").to_numpy()
    if not there.any():
        return pa.table({"user_id": pa.array([], pa.string()), "vector": arrow.vectors(np.empty((0, 1), np.float32))})
    shape = len(names.dictionary), len(known)
    speaks = sparse.csr_matrix((weight[there], (user[there], place[there])), shape=shape)
    sum_UT = speaks @ arrow.matrix(needed, "vector", "items")
    length_U = np.linalg.norm(sum_UT, axis=1)
    # Texts that say the opposite of each other may leave nothing.
    kept_U = length_U > 1e-6
    unit_UT = (sum_UT[kept_U] / length_U[kept_U, None]).astype(np.float32)
    return pa.table({"user_id": names.dictionary.filter(pa.array(kept_U)), "vector": arrow.vectors(unit_UT)})
