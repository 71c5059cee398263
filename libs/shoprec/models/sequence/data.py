"""What the sequence model is trained on, from silver and gold tables: a plan of the snapshot, made by Spark."""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from shoprec.errors import ConfigError
from shoprec.hashes import taken
from shoprec.models.sequence.config import SequenceConfig
from shoprec.models.texts import item_texts, of_texts
from shoprec.moments import MICROS_A_DAY
from shoprec.training.snapshot import Plan, Shuffled

#: Share of users whose last moment is held out, at most.
MOST_HELD = 0.1


@dataclass(frozen=True)
class Inputs:
    """``purchases``, as of ``retrieval.inputs.purchases_of``; gold tables, this run's rows, without as_of, run_id."""

    purchases: DataFrame
    user_index: DataFrame
    item_index: DataFrame
    item_features: DataFrame
    text_embeddings: DataFrame


def plan(inputs: Inputs, config: SequenceConfig, seed: int) -> Plan:
    """The snapshot: samples (histories to learn from), users (whole ones), items, texts and validation.

    Samples are one item longer than what is read: each item but the first is foretold from those before it. Of some
    users, drawn by a hash, the last moment is held out: the first of its items (by a hash, where they are several)
    stands in ``validation``, with what came before it.

    :raises ConfigError: there is no user or item
    """
    users, items = inputs.user_index.count(), inputs.item_index.count()
    if not users or not items:
        raise ConfigError(f"nothing to train on: {users} users and {items} items are known before the as-of date")
    told = histories(inputs.purchases, config.length + 2).join(inputs.user_index, on="user_id", how="inner")
    # The last moment begins where the last gap lies; without one, all is of one moment.
    gap = F.array_position(F.reverse(F.transform("days", lambda days: days > 0)), True)
    begins = F.size("items") - (F.lit(0) if config.same_moment else (gap - 1).cast("int"))
    held = taken(min(MOST_HELD, config.validation_users / users), seed, "user_idx") & (begins > 2)
    if not config.same_moment:
        held = held & (gap > 0)
    told = told.withColumns({"held": held, "begins": begins})
    without_last = F.when(F.col("held"), F.col("begins") - 1).otherwise(F.size("items"))
    length, fact = F.lit(config.length), {"users": users, "items": items}
    described = inputs.item_index, inputs.item_features, inputs.text_embeddings
    texts = item_texts(*described, config.encoder, config.text)
    placed = inputs.item_index.select("item_idx", "log_q").join(texts.drop("vector"), on="item_idx", how="left")
    follows = F.element_at("items", F.col("begins")).alias("next")
    learnt = _latest(told, length + 1, without_last)
    tables = {
        "samples": Shuffled(learnt.where(F.size("items") > 1), ("user_idx",), seed=seed),
        "users": _latest(told, length, F.size("items")),
        "items": placed.withColumn("text_idx", F.coalesce("text_idx", F.lit(-1))),
        "texts": of_texts(texts),
        "validation": _latest(told.where("held"), length, without_last, follows),
    }
    return Plan(tables, fact)


def histories(purchases: DataFrame, longest: int) -> DataFrame:
    """user_id, items array<int>, days array<float> (since the item before; 0: the first): the latest, in their order.

    Purchases of one moment have none; they come by a hash. An item that was bought twice stands twice, but for its
    further lines of one moment.
    """
    once = purchases.select("user_id", "item_idx", "at").distinct()
    tie = F.xxhash64("user_id", "item_idx")
    latest = Window.partitionBy("user_id").orderBy(F.desc("at"), tie, "item_idx")
    before = F.lead("at").over(latest)
    days = ((F.col("at") - F.coalesce(before, "at")) / F.lit(float(MICROS_A_DAY))).cast("float")
    place = F.row_number().over(latest.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    kept = once.withColumns({"days": days, "place": place}).where(F.col("place") <= longest)
    entries = F.sort_array(F.collect_list(F.struct(-F.col("place"), "item_idx", "days")))
    ordered = kept.groupBy("user_id").agg(entries.alias("entries"))
    return ordered.select("user_id", F.col("entries.item_idx").alias("items"), F.col("entries.days").alias("days"))


def _latest(told: DataFrame, length: Column, until: Column, *more: Column) -> DataFrame:
    """user_idx, items, days: of each history up to place ``until`` the last ``length`` places."""
    first = F.greatest(F.lit(1), until - length + 1)
    cut = (F.slice(name, first, until - first + 1).alias(name) for name in ("items", "days"))
    return told.select("user_idx", *cut, *more)
