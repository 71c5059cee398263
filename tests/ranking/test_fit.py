"""The whole fit on data with a planted truth: fusion beats each source, and probabilities mean what they say."""

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from shoprec.errors import ContractBroken
from shoprec.ranking.config import ODDS, RankingConfig, Trees
from shoprec.ranking.fit import Fitted, _weighed, fit
from shoprec.ranking.learner import ENOUGH
from shoprec.ranking.ranker import Known
from tests.ranking.tables import NAMES, SOURCES, planted_features, with_features

TREES = Trees(rounds=60, depth=4, min_child_weight=5, learning_rate=0.15, negative_share=0.5)
SETTINGS = RankingConfig(sources=SOURCES, new=TREES, workers=1)


def fitted_on(spark: SparkSession, table: pa.Table, known: Known | None = None) -> Fitted:
    """Fit on the planted candidates; their labels become purchases."""
    bought = spark.createDataFrame(table.filter(pa.compute.equal(table["label"], 1)).select(["user_id", "item_id"]))
    features = spark.createDataFrame(with_features(table.drop_columns(["label"])))
    return fit(features, bought, 3, SETTINGS, known, lambda _: None)


def scores(fitted: Fitted, table: pa.Table) -> np.ndarray:
    known = table["pair_days"].to_numpy() > 0
    return fitted.rankers.probabilities(fitted.rankers.new.matrix(with_features(table)), table[ODDS].to_numpy(), known)


@pytest.fixture(scope="module")
def table() -> pa.Table:
    # Out of fold by user and by item, trees learn from a quarter: it is to be enough to calibrate by.
    return planted_features(users=1600, items=40, seed=1)[0]


@pytest.fixture(scope="module")
def fitted(spark: SparkSession, table: pa.Table) -> Fitted:
    return fitted_on(spark, table)


def test_fusion_beats_each_source(fitted: Fitted) -> None:
    """Each source knows one of the two reasons to buy: a ranker that knows both must be far better out of fold."""
    best = max(fitted.gate["sources"].values())
    assert set(fitted.gate["sources"]) == set(SOURCES)
    assert fitted.gate["ndcg@10"] > best + 0.05
    assert fitted.gate["users"] > 300


def test_probabilities_are_calibrated_on_new_users(fitted: Fitted) -> None:
    """On users that were never seen: in each tenth of the scores, mean score = mean true probability, within 0.03."""
    table, truth = planted_features(users=300, items=40, seed=2)
    score = scores(fitted, table)
    for part in np.array_split(np.argsort(score), 10):
        assert score[part].mean() == pytest.approx(truth[part].mean(), abs=0.03)
    assert score.mean() == pytest.approx(truth.mean(), rel=0.07)


def test_it_repeats(spark: SparkSession, table: pa.Table, fitted: Fitted) -> None:
    """The same candidates, in another order, give the same model, calibration and figures."""
    again = fitted_on(spark, table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows))))
    assert again.rankers == fitted.rankers
    assert again.gate == fitted.gate


def with_known(table: pa.Table, label: np.ndarray, odds: np.ndarray) -> pa.Table:
    """Every second item known, with the odds that another ranker gave it, and other labels."""
    known = np.arange(table.num_rows) % 2 == 0
    columns = {"label": label.astype(np.int32), "pair_days": known, ODDS: np.where(known, odds, np.nan)}
    for name, values in columns.items():
        kind = pa.int32() if name == "label" else pa.float32()
        table = table.set_column(table.column_names.index(name), name, pa.array(values.astype(kind.to_pandas_dtype())))
    return table


def test_beside_a_ranker_of_known_items_it_learns_from_the_others(spark: SparkSession, fitted: Fitted) -> None:
    """Known items are bought where als ranks them low, new ones where it ranks them high: only the latter is learnt.

    The figures are those of both: known items stand at the odds that they were given, which are right here.
    """
    table = planted_features(users=800, items=40, seed=6)[0]
    rng = np.random.default_rng(6)
    known = np.arange(table.num_rows) % 2 == 0
    high = np.nan_to_num(table["rank_als"].to_numpy(), nan=99) <= 10
    good = np.where(known, ~high, high)
    label = rng.random(table.num_rows) < np.where(good, 0.8, 0.1)
    told = with_known(table, label, np.where(good, 1.386, -2.197))
    ranker = Known(fitted.rankers.new, 1.0, 0.0, 0.0)
    made = fitted_on(spark, told, ranker)
    assert made.rankers.known is ranker
    score = scores(made, told)
    for part in (known, ~known):
        assert score[part & good].mean() == pytest.approx(0.8, abs=0.05)
        assert score[part & ~good].mean() == pytest.approx(0.1, abs=0.05)
    wrong = fitted_on(spark, with_known(table, label, np.where(good, -2.197, 1.386)), ranker)
    assert made.gate["ndcg@10"] > 0.75 > wrong.gate["ndcg@10"] + 0.1


def test_no_candidate_is_new(spark: SparkSession, fitted: Fitted) -> None:
    """The ranker of the others learns from known items then, and the figures are those of the odds that were given."""
    table = planted_features(users=200, items=40, seed=8)[0]
    label = table["label"].to_numpy()
    told = with_known(table, label, np.where(label, 2.0, -2.0))
    told = told.filter(pa.compute.greater(told["pair_days"], 0))
    made = fitted_on(spark, told, Known(fitted.rankers.new, 1.0, 0.0, 0.0))
    assert made.rankers.new.slope > 0
    assert made.gate["ndcg@10"] > 0.95


def test_weighed_odds_are_those_of_the_weighed_probability(spark: SparkSession) -> None:
    """Half of 0.8 is 0.4; what is sure, or can never be, has odds of about 30 either way."""
    rows = spark.createDataFrame([(float(np.log(4)),), (0.0,), (80.0,), (-80.0,)], "odds double")
    made = rows.select(
        _weighed(F.col("odds"), 0.5).alias("half"), _weighed(F.col("odds"), 1.0).alias("whole")
    ).collect()
    assert [row["half"] for row in made[:2]] == pytest.approx([np.log(0.4 / 0.6), np.log(0.25 / 0.75)])
    assert [row["whole"] for row in made] == pytest.approx([np.log(4), 0, 29.93, -29.93], abs=0.01)


def test_few_purchases_of_new_items_are_learnt_from_with_the_known_ones(spark: SparkSession, fitted: Fitted) -> None:
    """With 400 new ones bought, what als says of known items, which is the same, still reaches the trees."""
    table = planted_features(users=800, items=40, seed=7)[0]
    rng = np.random.default_rng(7)
    known = np.arange(table.num_rows) % 2 == 0
    high = np.nan_to_num(table["rank_als"].to_numpy(), nan=99) <= 10
    label = rng.random(table.num_rows) < np.where(high, 0.5, 0.02) * np.where(known, 1, 0.2)
    assert 300 < label[~known].sum() < ENOUGH
    told = with_known(table, label, np.zeros(table.num_rows))
    made = fitted_on(spark, told, Known(fitted.rankers.new, 1.0, 0.0, 0.0))
    score = scores(made, told)
    assert score[~known].mean() == pytest.approx(label[~known].mean(), rel=0.15)
    assert score[~known & high].mean() > 10 * score[~known & ~high].mean()


def test_nothing_bought_is_refused(spark: SparkSession) -> None:
    table = planted_features(users=100, items=10, seed=5)[0]
    nobody = table.set_column(table.column_names.index("label"), "label", pa.array(np.zeros(table.num_rows, np.int32)))
    with pytest.raises(ContractBroken, match=r"of \d+ candidates, 0 were bought"):
        fitted_on(spark, nobody)


def test_the_features_of_the_planted_table_are_the_rankers() -> None:
    assert set(NAMES) < set(planted_features(1, 2, 0)[0].column_names)
