"""Learning a ranker: gradient boosted trees on rows of earlier days and what followed, by XGBoost on Spark.

Candidates without a purchase are thinned by a hash of their key, and those that stay weigh as many as they stand for,
so that the thinning changes no expected count and the probabilities stay what they were.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import xgboost
from pyspark import TaskContext
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from xgboost.spark import SparkXGBClassifier

from shoprec import arrow
from shoprec.errors import ContractBroken
from shoprec.hashes import taken
from shoprec.packed import matrix_in, matrix_of
from shoprec.ranking.config import FEATURES, HABIT, RankingConfig, Trees

#: Purchases from which on known items, and new ones, have trees that learn from them alone: a quarter is left when the
#: users and items of a fold are out, and fewer would teach less than what both have in common.
ENOUGH = 1000

#: Leaves that a small shop's rows shall at least suffice for. Of rare purchases the hessians sum up to about their
#: number: a least sum for a leaf that is meant for thousands would leave trees without a split that says anything.
_LEAVES = 12

#: What learning in one task gives.
_MADE = pa.schema([("rows", pa.int64()), ("bought", pa.int64()), ("booster", pa.binary())])

# The job tells how far it is; the estimator would add its parameters to that.
logging.getLogger("XGBoost-PySpark").setLevel(logging.WARNING)


def fold(of: str, seed: int, folds: int) -> Column:
    """The part, 0 … folds - 1, that all rows of one user (or item) belong to: by a hash, so that none is in two."""
    return F.pmod(F.xxhash64(of, F.lit(seed)), F.lit(folds)).cast("int")


def folds(seed: int, settings: RankingConfig) -> dict[str, Column]:
    """The part of each row's user and of its item, for cross-fitting."""
    return {f"{of}_fold": fold(f"{of}_id", seed, settings.folds) for of in ("user", "item")}


def learnt_from(user_index: DataFrame, seed: int, settings: RankingConfig) -> Column:
    """True for the users that the ranker learns from: all, or about ``training_users`` where there are more."""
    return taken(min(1.0, settings.training_users / max(1, user_index.count())), seed, "user_id")


def training_rows(labelled: DataFrame, seed: int, settings: RankingConfig, share: float) -> DataFrame:
    """The rows to learn from: ``FEATURES``, label, weight and both folds, sorted, in as many partitions as workers.

    ``labelled``: user_id, item_id, label and ``FEATURES``; where they are there, period (rows of a pair are told apart
    by it), importance (what a row counts, else 1) and offset (log-odds that the trees add to), which stays. Every
    purchase is kept, and about ``share`` of the rest with the inverse in its weight. Partitions and order follow
    from hashes of the key: equal rows make equal trees.
    """
    bought = F.col("label") == 1
    key = [name for name in ("user_id", "item_id", "period") if name in labelled.columns]
    counts = F.col("importance") if "importance" in labelled.columns else F.lit(1.0)
    more = [name for name in ("offset",) if name in labelled.columns]
    weight = counts * F.when(bought, 1.0).otherwise(1 / share)
    return (
        labelled.where(bought | taken(share, seed, *key))
        .withColumns({"weight": weight, "order": F.xxhash64(*key, F.lit(seed)), **folds(seed, settings)})
        .repartition(settings.workers, "order")
        .sortWithinPartitions("order", *key)
        .select(FEATURES, *more, "label", "weight", *folds(seed, settings))
    )


def monotone(names: Sequence[str]) -> tuple[int, ...]:
    """How the log-odds may go with each feature: 1 up, -1 down, 0 either way.

    A higher score, match or place never counts against an item beside a lower one; trees without the constraint learn
    from a fortnight's chance that it does. Not to be proposed, a missing value, may go either way.
    """
    ways = {"score": 1, "match": 1, "rank": -1, "best": -1}
    return tuple(1 if name == HABIT else ways.get(name.split("_")[0], 0) for name in names)


def train(rows: DataFrame, names: Sequence[str], seed: int, settings: RankingConfig, trees: Trees) -> bytes:
    """A booster's JSON, fitted on ``rows`` (as of ``training_rows``): log-odds of a purchase.

    Nulls are missing values, which every split sends its own way. Where rows have no offset, the trees begin at the
    share of purchases. Where purchases are few, a leaf may be smaller than ``trees`` says (``_LEAVES``).

    :raises ContractBroken: there is nothing to tell apart: no row, or rows of one label only
    """
    parameters = {
        "n_estimators": trees.rounds,
        "max_depth": trees.depth,
        "learning_rate": trees.learning_rate,
        "colsample_bytree": trees.column_share,
        "subsample": trees.row_share,
        "num_parallel_tree": trees.forest,
        "max_bin": trees.bins,
        "tree_method": "hist",
        "random_state": seed,
        "monotone_constraints": str(monotone(names)),
        "verbosity": 0,
    }
    if settings.workers == 1:
        return _in_one_task(rows, names, parameters, trees)
    weight = F.sum(F.col("label") * F.col("weight")).alias("weight")
    counts = rows.agg(
        F.count(F.lit(1)).alias("rows"), F.coalesce(F.sum("label"), F.lit(0)).alias("bought"), weight
    ).first()
    _check(counts["rows"], counts["bought"])
    parameters["min_child_weight"] = _least_leaf(trees, counts["weight"])
    columns = {"features_col": FEATURES, "label_col": "label", "weight_col": "weight"}
    if "offset" in rows.columns:
        columns["base_margin_col"] = "offset"
    estimator = SparkXGBClassifier(num_workers=settings.workers, verbose=False, **columns, **parameters)
    return bytes(estimator.fit(_as_arrays(rows, len(names))).get_booster().save_raw("json"))


def _as_arrays(rows: DataFrame, width: int) -> DataFrame:
    """``rows`` with ``FEATURES`` as an array of floats, which is what the estimator reads."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            vectors = arrow.vectors(matrix_in(batch, FEATURES, width))
            yield batch.set_column(batch.schema.get_field_index(FEATURES), FEATURES, vectors)

    kinds = {field.name: field.dataType.simpleString() for field in rows.schema} | {FEATURES: "array<float>"}
    return rows.mapInArrow(run, ", ".join(f"{name} {kind}" for name, kind in kinds.items()))


def _least_leaf(trees: Trees, bought: float) -> float:
    """The least sum of hessians in a leaf, given the weight of all purchases."""
    return min(trees.min_child_weight, bought / _LEAVES)


def _in_one_task(rows: DataFrame, names: Sequence[str], parameters: Mapping[str, object], trees: Trees) -> bytes:
    """As the estimator would with one worker, without its barriers, which let a core wait for seconds.

    The task holds all rows: 4 bytes for each row and column, twice.
    """
    columns = ["label", "weight", *(["offset"] if "offset" in rows.columns else [])]

    def learn(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """``_MADE``: one row; without a booster where there is nothing to tell apart."""
        told = [(matrix_in(batch, FEATURES, len(names)), matrix_of(batch, columns)) for batch in batches]
        features_NF = np.vstack([np.empty((0, len(names)), np.float32), *(features for features, _ in told)])
        rest_NR = np.vstack([np.empty((0, len(columns)), np.float32), *(rest for _, rest in told)])
        label_N, weight_N, *offset = rest_NR.T
        del told  # views of all that came in
        bought, booster = np.count_nonzero(label_N), None
        if 0 < bought < len(label_N):
            least = _least_leaf(trees, float(label_N @ weight_N))
            model = xgboost.XGBClassifier(n_jobs=TaskContext.get().cpus(), min_child_weight=least, **parameters)
            model.fit(features_NF, label_N, sample_weight=weight_N, base_margin=offset[0] if offset else None)
            booster = bytes(model.get_booster().save_raw("json"))
        yield pa.RecordBatch.from_pylist([{"rows": len(label_N), "bought": bought, "booster": booster}], schema=_MADE)

    made = (
        rows.select(FEATURES, *columns)
        .coalesce(1)
        .mapInArrow(learn, "rows long, bought long, booster binary")
        .collect()
    )
    # Of what Spark knows to be empty no task is made.
    count, bought, booster = made[0] if made else (0, 0, None)
    _check(count, bought)
    return bytes(booster)


def _check(rows: int, bought: int) -> None:
    if not 0 < bought < rows:
        raise ContractBroken(
            f"the ranker has nothing to learn from: of {rows} candidates, {bought} were bought within the horizon — "
            "check that candidates for as_of - horizon were made, and that purchases followed"
        )
