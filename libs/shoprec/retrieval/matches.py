"""What models of embeddings say of given pairs, whoever proposed them: the dot products of their vectors.

Users are dealt to tasks; a task receives the vectors of those items alone that are paired with one of its users, once
each. Nothing comes to the driver. A task holds its pairs and both sides' vectors: at 600 pairs a user and three models
of width 64 at most some 1.2 million pairs and, where hardly two users share an item, 1 GB of vectors.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec import arrow
from shoprec.reuse import shuffle_parts

#: Users whose pairs one task holds.
USERS_PER_TASK = 2_048
#: Fewer users than this are not worth another copy of the vectors of their items.
LEAST_USERS_PER_TASK = 512

#: Pairs whose vectors are laid beside each other at a time: some 30 MB at a width of 64.
_AT_ONCE = 65_536


def matches(pairs: DataFrame, users: DataFrame, items: DataFrame, models: Sequence[str], of_users: int) -> DataFrame:
    """The dot product of each pair by each model.

    :param pairs: user_id, item_id; a pair may stand more than once
    :param users: model, user_id, vector array<float>
    :param items: model, item_id, vector array<float>; as wide as the model's users
    :param of_users: how many users the pairs are of, about
    :return: user_id, item_id, ``match_<model>`` float for each of ``models``: one row a pair; null where the model has
        no vector of the user or of the item
    :raises ValueError: within the Spark job, when a vector is not finite or widths differ
    """
    if not models:
        return pairs.select("user_id", "item_id").distinct()
    wanted = pairs.groupBy("user_id").agg(F.collect_set("item_id").alias("items"))
    task = F.pmod(F.xxhash64(F.lit("task"), "user_id"), F.lit(tasks_for(pairs.sparkSession, of_users))).alias("task")
    own = wanted.join(_by_model(users, "user_id", models), on="user_id", how="left").withColumn("task", task)
    needed = pairs.select(task, "item_id").distinct()
    sent = needed.join(_by_model(items, "item_id", models), on="item_id", how="inner")
    schema = ", ".join(["user_id string", "item_id string", *(f"match_{model} float" for model in models)])
    return (
        own.groupBy("task")
        .cogroup(sent.groupBy("task"))
        .applyInArrow(lambda own, sent: _matched(own, sent, models), schema)
    )


def tasks_for(spark: SparkSession, users: int) -> int:
    """How many tasks users are dealt to, where each holds the vectors of their items."""
    parallel = shuffle_parts(spark)
    return max(1, min(parallel, users // LEAST_USERS_PER_TASK), math.ceil(users / USERS_PER_TASK))


def _by_model(vectors: DataFrame, key: str, models: Sequence[str]) -> DataFrame:
    """One row a user or item: its vector by each model, in a column of the model's name."""
    by_model = (F.max(F.when(F.col("model") == model, F.col("vector"))).alias(model) for model in models)
    return vectors.where(F.col("model").isin(list(models))).groupBy(key).agg(*by_model)


def _matched(own: pa.Table, sent: pa.Table, models: Sequence[str]) -> pa.Table:
    listed = arrow.column(own, "items")
    items = listed.flatten()
    user = np.repeat(np.arange(own.num_rows), np.diff(listed.offsets.to_numpy()))
    found = pc.index_in(items, value_set=arrow.column(sent, "item_id"))
    item = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    made = {f"match_{model}": _products(own, sent, model, user, item) for model in models}
    columns = {"user_id": arrow.column(own, "user_id").take(pa.array(user)), "item_id": items}
    return pa.table({**columns, **{name: pa.array(scores, from_pandas=True) for name, scores in made.items()}})


def _products(
    own: pa.Table, sent: pa.Table, model: str, user: npt.NDArray[np.int64], item: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """[pairs], NaN where the model lacks a vector; ``item`` -1: no model has one."""
    (users, user_places), (items, item_places) = _vectors(own, model, "users"), _vectors(sent, model, "items")
    made = np.full(len(user), np.nan, np.float32)
    if not (len(users) and len(items)):
        return made
    if users.shape[1] != items.shape[1]:
        raise ValueError(f"vectors of {model} are {users.shape[1]} wide for users, {items.shape[1]} for items")
    left, right = user_places[user], np.where(item < 0, -1, item_places[item])
    both = np.flatnonzero((left >= 0) & (right >= 0))
    for start in range(0, len(both), _AT_ONCE):
        some = both[start : start + _AT_ONCE]
        made[some] = np.einsum("ij,ij->i", users[left[some]], items[right[some]])
    return made


def _vectors(rows: pa.Table, model: str, what: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """(the vectors of the rows that have one, each row's place among them or -1)."""
    known = rows.column(model).is_valid()
    there = known.to_numpy()
    return arrow.matrix(rows.filter(known), model, what), np.where(there, np.cumsum(there) - 1, -1)
