"""What the model is trained on, from gold tables: a plan of the snapshot, made by Spark."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from shoprec.errors import ConfigError
from shoprec.models.texts import item_texts, of_texts
from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.settings import nearest
from shoprec.training.encoder import encode, learn, numeric_columns
from shoprec.training.encoding import Encoding
from shoprec.training.snapshot import Plan, Shuffled

#: Word of the hashed user ids; the others are named by their column.
USER_BUCKET = "w_user_bucket"


@dataclass(frozen=True)
class Inputs:
    """The gold tables, this run's rows, without as_of and run_id."""

    samples: DataFrame
    user_index: DataFrame
    item_index: DataFrame
    user_profiles: DataFrame
    item_features: DataFrame
    text_embeddings: DataFrame


def plan(inputs: Inputs, config: TwoTowerConfig, seed: int) -> Plan:
    """The snapshot: tables samples, users, items, texts and validation; facts that say how their columns are coded.

    :raises ConfigError: a column that the settings name is not there, or there is no user or item
    """
    users, items = inputs.user_index.count(), inputs.item_index.count()
    if not users or not items:
        raise ConfigError(f"nothing to train on: {users} users and {items} items are known before the as-of date")
    user_code = _learn(inputs.user_profiles, config.user_numeric, config.user_words, "user", config)
    item_code = _learn(inputs.item_features, config.item_numeric, config.item_words, "item", config)
    held = _held_out(config, min(1.0, config.validation_users / users), seed)
    pairs = inputs.samples.groupBy("user_idx", "item_idx").agg(
        F.sum(F.col("weight") * F.col("importance")).cast("float").alias("weight"), F.min("age_days").alias("age_days")
    )
    pairs = pairs.withColumn("held", held)
    train = pairs.where("not held")
    told = inputs.item_index, inputs.item_features, inputs.text_embeddings
    texts = item_texts(*told, config.encoder, config.text)
    tables = {
        "samples": Shuffled(train.drop("age_days", "held"), ("user_idx", "item_idx"), config.snapshot_files, seed),
        "users": _users(inputs, user_code, train, config),
        "items": _items(inputs, item_code, texts),
        "texts": of_texts(texts),
        "validation": _validation(pairs),
    }
    facts = {
        "users": users,
        "items": items,
        "user_buckets": config.user_buckets,
        "user_encoding": user_code.facts(),
        "item_encoding": item_code.facts(),
    }
    return Plan(tables, facts)


def _learn(
    rows: DataFrame, numeric: Sequence[str], words: Sequence[str], kind: str, config: TwoTowerConfig
) -> Encoding:
    for name in (*numeric, *words):
        if name not in rows.columns:
            raise ConfigError(f"two_tower: {kind} features have no column {name!r}; {nearest(name, rows.columns)}")
    return learn(rows, numeric or numeric_columns(rows), words, config.most_words)


def _held_out(config: TwoTowerConfig, share_of_users: float, seed: int) -> Column:
    """Whether a pair is held out: of some users, by a hash, a share of the recent pairs."""
    user = _uniform(F.lit(seed), F.lit("user"), "user_idx") < share_of_users
    pair = _uniform(F.lit(seed), F.lit("pair"), "user_idx", "item_idx") < config.validation_share
    return user & pair & (F.col("age_days") < config.validation_days)


def _uniform(*of: Any) -> Column:
    return F.pmod(F.xxhash64(*of), F.lit(1_000_003)) / 1_000_003


def _users(inputs: Inputs, code: Encoding, train: DataFrame, config: TwoTowerConfig) -> DataFrame:
    """One row a user: what is known of them, and their recent items, the latest first."""
    order = Window.partitionBy("user_idx").orderBy("age_days", F.desc("weight"), F.xxhash64("user_idx", "item_idx"))
    one = F.struct(
        F.col("place"), F.col("item_idx"), F.pow(0.5, F.col("age_days") / config.recent_half_life_days).alias("weight")
    )
    recent = (
        train.withColumn("place", F.row_number().over(order))
        .where(F.col("place") <= config.recent)
        .groupBy("user_idx")
        .agg(F.sort_array(F.collect_list(one)).alias("recent"))
    )
    ids = inputs.user_index.select("user_id", "user_idx")
    bucket = [F.pmod(F.xxhash64("user_id"), F.lit(config.user_buckets)).cast("int").alias(USER_BUCKET)]
    known = ids.join(inputs.user_profiles, on="user_id", how="left")
    coded = encode(known, ["user_idx", *(bucket if config.user_buckets else [])], code)
    none = F.array().cast("array<struct<place:int,item_idx:int,weight:double>>")
    listed = coded.join(recent, on="user_idx", how="left").withColumn("recent", F.coalesce("recent", none))
    return listed.select(
        *coded.columns,
        F.col("recent.item_idx").alias("recent"),
        F.col("recent.weight").cast("array<float>").alias("recent_weight"),
    )


def _items(inputs: Inputs, code: Encoding, texts: DataFrame) -> DataFrame:
    """One row an item: what is known of it, where its text stands (-1: no text), and its chance as a negative."""
    ids = inputs.item_index.select("item_id", "item_idx", "log_q")
    known = ids.join(inputs.item_features, on="item_id", how="left")
    coded = encode(known, ["item_idx", "log_q"], code)
    placed = coded.join(texts.select("item_idx", "text_idx"), on="item_idx", how="left")
    return placed.withColumn("text_idx", F.coalesce("text_idx", F.lit(-1)))


def _validation(pairs: DataFrame) -> DataFrame:
    """One row a user with held-out pairs: their held-out items, and the items of their other pairs."""
    held = F.sort_array(F.collect_list(F.when(F.col("held"), F.col("item_idx"))))
    seen = F.sort_array(F.collect_list(F.when(~F.col("held"), F.col("item_idx"))))
    users = pairs.where("held").select("user_idx").distinct()
    theirs = pairs.join(users, on="user_idx", how="left_semi")
    return theirs.groupBy("user_idx").agg(held.alias("held"), seen.alias("seen"))
