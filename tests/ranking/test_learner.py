"""Learning: which rows are learnt from, that folds never share a user, and that equal rows make equal trees."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec.errors import ContractBroken
from shoprec.hashes import taken
from shoprec.packed import pack
from shoprec.ranking.config import FEATURES, RankingConfig, Trees
from shoprec.ranking.learner import fold, learnt_from, train, training_rows
from shoprec.ranking.ranker import Ranker
from tests.ranking.tables import NAMES, SOURCES, planted_features, with_features

TREES = Trees(rounds=10, depth=3, min_child_weight=1)
SHARE = 0.25
SETTINGS = RankingConfig(sources=SOURCES, new=TREES, workers=2)


@pytest.fixture(scope="module")
def planted() -> pa.Table:
    return with_features(planted_features(users=60, items=40, seed=1)[0])


@pytest.fixture(scope="module")
def labelled(spark: SparkSession, planted: pa.Table) -> DataFrame:
    return spark.createDataFrame(planted).cache()


@pytest.fixture(scope="module")
def sample(labelled: DataFrame) -> DataFrame:
    return training_rows(labelled, 5, SETTINGS, SHARE).cache()


def test_no_user_is_in_two_folds(labelled: DataFrame) -> None:
    counts = (
        labelled.withColumn("fold", fold("user_id", 5, 3))
        .groupBy("user_id")
        .agg(F.count_distinct("fold").alias("n"), F.max("fold").alias("f"))
    )
    rows = counts.collect()
    assert {row["n"] for row in rows} == {1}
    assert {row["f"] for row in rows} == {0, 1, 2}


def test_purchases_all_stay_and_weights_restore_the_rest(planted: pa.Table, sample: DataFrame) -> None:
    """Every purchase once with weight 1; of the others about a quarter, each standing for four."""
    rows = (
        sample.groupBy("label")
        .agg(F.count(F.lit(1)).alias("n"), F.sum("weight").alias("w"), F.max("weight").alias("top"))
        .collect()
    )
    told = {row["label"]: row for row in rows}
    bought = int(np.sum(planted["label"].to_numpy()))
    others = planted.num_rows - bought
    assert (told[1]["n"], told[1]["w"], told[1]["top"]) == (bought, bought, 1)
    assert told[0]["top"] == 4
    assert told[0]["w"] == pytest.approx(others, rel=0.15)


def test_thinning_is_by_key(spark: SparkSession) -> None:
    """The same ids are taken whatever stands around them, about the share asked for, and others by another seed."""
    ids = spark.range(4000).select(F.col("id").cast("string").alias("user_id"))
    first = {row[0] for row in ids.where(taken(0.3, 1, "user_id")).collect()}
    again = {row[0] for row in ids.where("user_id % 2 = 0").where(taken(0.3, 1, "user_id")).collect()}
    other = {row[0] for row in ids.where(taken(0.3, 2, "user_id")).collect()}
    assert again == {i for i in first if int(i) % 2 == 0}
    assert len(first) == pytest.approx(1200, abs=120)
    assert first != other


def test_all_users_teach_while_they_are_few(spark: SparkSession) -> None:
    ids = spark.range(1000).select(F.col("id").cast("string").alias("user_id"))
    few = SETTINGS.model_copy(update={"training_users": 100})
    assert ids.where(learnt_from(ids, 1, SETTINGS)).count() == 1000
    assert ids.where(learnt_from(ids, 1, few)).count() == pytest.approx(100, abs=35)


def test_equal_rows_make_equal_trees_whatever_their_order(labelled: DataFrame, sample: DataFrame) -> None:
    shuffled = labelled.repartition(3, "item_id").orderBy(F.desc("item_id"))
    made = train(sample, NAMES, 5, SETTINGS, TREES)
    assert train(training_rows(shuffled, 5, SETTINGS, SHARE).cache(), NAMES, 5, SETTINGS, TREES) == made
    assert len(json.loads(made)["learner"]["gradient_booster"]["model"]["trees"]) == 10


def test_trees_know_what_was_planted(sample: DataFrame) -> None:
    """High in both sources is likelier than high in one, and that than in none."""
    ranker = Ranker(train(sample, NAMES, 5, SETTINGS, TREES), NAMES)
    matrix = np.full((3, len(NAMES)), np.nan, np.float32)
    for row, (als, again) in enumerate([(2.0, 2.0), (2.0, np.nan), (np.nan, np.nan)]):
        matrix[row, NAMES.index("score_als")], matrix[row, NAMES.index("score_buy_again")] = als, again
        matrix[row, NAMES.index("rank_als")] = 1 if np.isfinite(als) else np.nan
        matrix[row, NAMES.index("rank_buy_again")] = 1 if np.isfinite(again) else np.nan
    both, one, none = ranker.margins(matrix)
    assert both > one > none


def test_a_higher_score_or_place_never_counts_against_an_item(spark: SparkSession, planted: pa.Table) -> None:
    """In a fortnight when what als likes was not bought: the trees do not learn that it is worse."""
    liked = planted["score_als"].fill_null(-9).to_numpy() > 0
    labels = np.where(liked, np.arange(len(liked)) % 50 == 0, np.arange(len(liked)) % 5 == 0).astype(np.int64)
    odd = planted.set_column(planted.column_names.index("label"), "label", pa.array(labels))
    rows = training_rows(spark.createDataFrame(odd), 5, SETTINGS, SHARE)
    ranker = Ranker(train(rows, NAMES, 5, SETTINGS, TREES), NAMES)
    for name, values in {"score_als": np.linspace(-3, 3, 50), "rank_als": np.arange(50.0, 0, -1)}.items():
        matrix = np.tile(ranker.matrix(odd.slice(0, 1)), (50, 1))
        matrix[:, NAMES.index(name)] = values
        assert (np.diff(ranker.margins(matrix)) >= 0).all()


def test_one_task_learns_what_several_do(labelled: DataFrame, sample: DataFrame, planted: pa.Table) -> None:
    """One worker goes another way, without the estimator's barriers; with an offset too, the trees say the same."""
    alone = SETTINGS.model_copy(update={"workers": 1})
    told = F.coalesce(F.nanvl("score_als", F.lit(0.0)), F.lit(0.0)).cast("float")
    for rows in (sample, training_rows(labelled.withColumn("offset", told), 5, SETTINGS, SHARE)):
        one, two = (Ranker(train(rows, NAMES, 5, s, TREES), NAMES) for s in (alone, SETTINGS))
        margins = one.margins(one.matrix(planted))
        assert margins.std() > 0.2
        assert np.abs(margins - two.margins(two.matrix(planted))).max() < 0.05 * np.ptp(margins)


@pytest.mark.parametrize("workers", [1, 2])
def test_few_purchases_still_split_the_trees(spark: SparkSession, workers: int) -> None:
    """Of 30 purchases among 3,000 rows the hessians sum to some 30: no leaf could hold the 1,000 that are asked for.

    The 600 rows among which all purchases are have 6 of it, and a leaf of a twelfth of 30 has room for them.
    """
    rows = spark.range(3000).select(
        (F.col("id") < 600).cast("float").alias("score_als"),
        (F.col("id") < 30).cast("int").alias("label"),
        F.lit(1.0).alias("weight"),
    )
    rows = pack(rows, {FEATURES: ("score_als",)})
    trees = Trees(rounds=1, min_child_weight=1000, column_share=1)
    settings = SETTINGS.model_copy(update={"workers": workers})
    made = Ranker(train(rows.repartition(workers), ("score_als",), 5, settings, trees), ("score_als",))
    low, high = made.margins(np.array([[0], [1]], dtype=np.float32))
    assert high > low


def test_rows_say_what_they_count_where_their_trees_begin_and_which_day_they_are_of(labelled: DataFrame) -> None:
    """Importance is in the weight, the offset stays, and days of one pair are thinned each on its own."""
    days = F.explode(F.array(*(F.lit(day) for day in (1, 2)))).alias("period")
    more = labelled.select("*", days).withColumns({"importance": F.lit(0.5), "offset": F.col("period") * 1.0})
    rows = training_rows(more, 5, SETTINGS, SHARE).groupBy("offset", "label").agg(
        F.count(F.lit(1)).alias("n"), F.max("weight").alias("weight"), F.sum(F.hash(FEATURES)).alias("sum")
    )  # fmt: skip
    told = {(row["offset"], row["label"]): row for row in rows.collect()}
    assert {key: row["weight"] for key, row in told.items()} == {(1, 1): 0.5, (2, 1): 0.5, (1, 0): 2, (2, 0): 2}
    assert told[1, 1]["n"] == told[2, 1]["n"]
    assert told[1, 0]["sum"] != told[2, 0]["sum"]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("label", [0, 1])
def test_one_label_alone_is_refused(labelled: DataFrame, label: int, workers: int) -> None:
    rows = training_rows(labelled.withColumn("label", F.lit(label)), 5, SETTINGS, SHARE)
    with pytest.raises(ContractBroken, match="nothing to learn from"):
        train(rows, NAMES, 5, SETTINGS.model_copy(update={"workers": workers}), TREES)


def test_no_row_is_refused_where_spark_knows_that_there_is_none(spark: SparkSession, labelled: DataFrame) -> None:
    """Of a held table that is empty Spark makes no task at all, with adaptive execution."""
    spark.conf.set("spark.sql.adaptive.enabled", "true")
    try:
        rows = training_rows(labelled.where("label > 1"), 5, SETTINGS, SHARE).cache()
        assert rows.isEmpty()
        with pytest.raises(ContractBroken, match="of 0 candidates"):
            train(rows, NAMES, 5, SETTINGS.model_copy(update={"workers": 1}), TREES)
    finally:
        spark.conf.set("spark.sql.adaptive.enabled", "false")


def test_each_round_of_a_forest_holds_as_many_trees(sample: DataFrame) -> None:
    forest = TREES.model_copy(update={"rounds": 3, "forest": 4, "row_share": 0.5})
    model = json.loads(train(sample, NAMES, 5, SETTINGS, forest))["learner"]["gradient_booster"]["model"]
    assert len(model["trees"]) == 3 * 4
    assert len({json.dumps(tree["base_weights"]) for tree in model["trees"][:4]}) > 1


def test_what_is_not_said_of_trees_stays_as_it_comes() -> None:
    usual, told = RankingConfig(), RankingConfig(known={"rounds": 9}, new={"rounds": 9})
    for part in ("known", "new"):
        assert getattr(told, part) == getattr(usual, part).model_copy(update={"rounds": 9})
    assert usual.new != usual.known
