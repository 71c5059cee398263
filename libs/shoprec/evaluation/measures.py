"""The measures: of each user's list, and of all lists together.

Relevance is binary. With k the cutoff, R the user's relevant items and r a hit's position:

- precision = hits / k, recall = hits / R, F1 their harmonic mean, hit rate = 1 when there is a hit
- NDCG: sum of 1 / log2(r + 1) over hits, by that of the best list possible, cut at k (Järvelin & Kekäläinen 2002)
- MAP: sum over hits of the precision at their positions, by R (the convention of trec_eval); MRR: 1 / first hit's r
- AUC over the whole catalogue: chance that a relevant item stands above one that is not; the items that a list does
  not hold stand below it, all tied, and a tie counts a half
- diversity: mean distance of two items in the list; 0 in the same category, ½ in the same department, else 1
- novelty: mean self-information of the list's items, bits
- coverage: items that stand in some user's list, by the items of the catalogue
"""

import math

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.evaluation.config import ACTIVITY, CUTOFFS, EVERYONE, USER_METRICS

_LIST = ("subject", "list", "user_id")


def user_values(judged: DataFrame, tops: DataFrame, facts: DataFrame, users: DataFrame) -> DataFrame:
    """Every measure of every user's list: subject, list, user_id, segment and one double column per USER_METRICS.

    ``judged`` and ``tops`` as of the module lists, ``facts`` and ``users`` as of the module truth. Every judged user
    has one row for each subject and list: where the subject proposed nothing, relevance measures are 0, AUC is one
    half, and diversity and novelty, which then have no meaning, are null.
    """
    sizes = facts.agg(F.count(F.lit(1)).alias("catalogue"))
    subjects = judged.select("subject").distinct()
    scaffold = _relevant(users).crossJoin(F.broadcast(subjects)).crossJoin(F.broadcast(sizes))
    found = judged.select(*_LIST, "length", "hits")
    values = scaffold.join(found, on=list(_LIST), how="left").join(
        _top_sums(tops.join(facts, on="item_id", how="left")), on=list(_LIST), how="left"
    )
    filled = values.withColumns(
        {"hits": F.coalesce("hits", F.array().cast("array<int>")), "length": F.coalesce("length", F.lit(0))}
    )
    return filled.select(*_LIST, "segment", *(_measure(name).cast("double").alias(name) for name in USER_METRICS))


def _relevant(users: DataFrame) -> DataFrame:
    """Users by list: list, user_id, segment, relevant (>= 1), known_items (items that the list may not hold)."""
    lists = F.array(
        *(
            F.struct(F.lit(name).alias("list"), relevant.alias("relevant"), left_out.alias("left_out"))
            for name, relevant, left_out in (
                ("all", F.col("relevant_all"), F.lit(0).cast("long")),
                ("discovery", F.col("relevant_new"), F.col("known_items")),
            )
        )
    )
    return users.select("user_id", "segment", F.inline(lists)).where("relevant > 0")


def _top_sums(rows: DataFrame) -> DataFrame:
    """By list and cutoff: items, their self-information, and pairs of the same category and of the same department.

    Three groupings nested in one another, so that one shuffle by list serves all: items are counted by category, the
    pairs within a category are then summed by department, and those by list.
    """
    depth = {k: F.col("position") <= k for k in CUTOFFS}
    by_category = rows.groupBy(*_LIST, "department", "category").agg(
        *(F.sum(top.cast("int")).alias(f"n{k}") for k, top in depth.items()),
        *(F.sum(F.when(top, F.col("information"))).alias(f"information{k}") for k, top in depth.items()),
    )
    sums = [F.sum(f"{name}{k}").alias(f"{name}{k}") for name in ("n", "information") for k in CUTOFFS]
    by_department = by_category.groupBy(*_LIST, "department").agg(
        *sums, *(F.sum(_pairs(k)).alias(f"category_pairs{k}") for k in CUTOFFS)
    )
    return by_department.groupBy(*_LIST).agg(
        *sums,
        *(F.sum(f"category_pairs{k}").alias(f"category_pairs{k}") for k in CUTOFFS),
        *(F.sum(_pairs(k)).alias(f"department_pairs{k}") for k in CUTOFFS),
    )


def _pairs(k: int) -> Column:
    return F.col(f"n{k}") * (F.col(f"n{k}") - 1) / 2


def _measure(name: str) -> Column:
    """The measure called ``name``, from the columns of ``_relevant``, ``judged_lists`` and ``_top_sums``."""
    if name == "auc":
        return _auc()
    kind, depth = name.split("@")
    k = int(depth)
    if kind == "diversity":
        same = (F.col(f"category_pairs{k}") + F.col(f"department_pairs{k}")) / 2
        return F.when(F.col(f"n{k}") > 1, 1 - same / _pairs(k))
    if kind == "novelty":
        return F.when(F.col(f"n{k}") > 0, F.col(f"information{k}") / F.col(f"n{k}"))
    return relevance(kind, k)


def relevance(kind: str, k: int) -> Column:
    """A measure of relevance, from ``relevant`` (how many items there are to find, at least 1) and ``hits``."""
    relevant, top = F.col("relevant"), F.filter("hits", lambda position: position <= k)
    hits = F.size(top)
    gains = F.transform(top, lambda position: 1 / F.log2(position + F.lit(1.0)))
    best = F.array(*(F.lit(sum(1 / math.log2(r + 1) for r in range(1, n + 1))) for n in range(1, k + 1)))
    measures = {
        "precision": hits / F.lit(k),
        "recall": hits / relevant,
        "f1": 2 * hits / (k + relevant),
        "hit_rate": F.when(hits > 0, 1.0).otherwise(0.0),
        "mrr": F.when(hits > 0, 1 / F.array_min(top)).otherwise(0.0),
        "ndcg": _total(gains) / F.element_at(best, F.least(relevant, F.lit(k)).cast("int")),
        "map": _total(F.transform(top, lambda position, i: (i + 1) / position)) / relevant,
    }
    return measures[kind]


def _total(numbers: Column) -> Column:
    return F.aggregate(numbers, F.lit(0.0), lambda total, number: total + number)


def _auc() -> Column:
    """Of all pairs (relevant, other): won by listed hits over what stands below them; halves for unlisted pairs.

    Null where a user bought the whole catalogue, so that there is nothing to compare with.
    """
    found = F.size("hits")
    relevant, others = F.col("relevant"), F.col("catalogue") - F.col("left_out") - F.col("relevant")
    above = _total(F.transform("hits", lambda position, i: (position - 1 - i).cast("double")))
    won = found * others - above
    tied = (relevant - found) * (others - (F.col("length") - found)) / 2
    return F.when(others > 0, (won + tied) / (relevant * others))


def coverage(tops: DataFrame, facts: DataFrame, users: DataFrame) -> DataFrame:
    """Share of the catalogue that stands in some judged user's list: the rows of METRICS for coverage, no intervals."""
    segments = (EVERYONE, *ACTIVITY)
    within = {s: F.lit(True) if s == EVERYONE else F.col("segment") == s for s in segments}
    highest = {s: f"position_{i}" for i, s in enumerate(segments)}
    best = tops.groupBy("subject", "list", "item_id").agg(
        *(F.min(F.when(within[s], F.col("position"))).alias(highest[s]) for s in segments)
    )
    counts = F.array(*(_covered(s, k, F.col(highest[s])) for s in segments for k in CUTOFFS))
    covered = best.groupBy("subject", "list").agg(counts.alias("counts"))
    sizes = facts.agg(F.count(F.lit(1)).alias("catalogue"))
    judged = _relevant(users).rollup("list", "segment").agg(F.count(F.lit(1)).alias("users")).where("list is not null")
    none = F.lit(None).cast("double")
    return (
        covered.select("subject", "list", F.inline("counts"))
        .join(F.broadcast(judged.na.fill({"segment": EVERYONE})), on=["list", "segment"], how="inner")
        .crossJoin(F.broadcast(sizes))
        .withColumns({"value": F.col("items") / F.col("catalogue"), "low": none, "high": none, "p_value": none})
        .select("subject", "list", "segment", "metric", "value", "low", "high", "p_value", "users")
    )


def _covered(segment: str, k: int, highest: Column) -> Column:
    """(segment, metric, items): how many items stand somewhere within the cutoff, by their highest position."""
    items = F.count(F.when(highest <= k, True))
    return F.struct(F.lit(segment).alias("segment"), F.lit(f"coverage@{k}").alias("metric"), items.alias("items"))
