"""The whole fit on data with a planted truth: fusion beats each source, and probabilities mean what they say."""

from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from shoprec.errors import ContractBroken
from shoprec.ranking.config import RankingConfig
from shoprec.ranking.fit import Fitted, fit
from tests.ranking.tables import NAMES, SOURCES, planted_features

START = date(2024, 3, 1)
SETTINGS = RankingConfig(sources=SOURCES, trees=60, depth=4, min_child_weight=5, negative_share=0.5, learning_rate=0.15)
EVENTS = "event_at timestamp, type string, user_id string, item_id string"


def fitted_on(spark: SparkSession, table: pa.Table, settings: RankingConfig = SETTINGS) -> Fitted:
    """Fit on the planted candidates; their labels become purchases of the fourteen days."""
    chosen = table.filter(pa.compute.equal(table["label"], 1)) if table.num_rows else table
    pairs = zip(chosen["user_id"].to_pylist(), chosen["item_id"].to_pylist(), strict=True)
    events = spark.createDataFrame([(datetime(2024, 3, 5, 10), "purchase", user, item) for user, item in pairs], EVENTS)
    users = spark.createDataFrame([(user,) for user in sorted(set(table["user_id"].to_pylist()))], "user_id string")
    features = spark.createDataFrame(table.drop_columns(["label"]))
    return fit(features, events, users, START, 14, 3, settings, lambda _: None)


@pytest.fixture(scope="module")
def fitted(spark: SparkSession) -> Fitted:
    # Out of fold by user and by item, trees learn from a quarter: it is to be enough to calibrate by.
    return fitted_on(spark, planted_features(users=1600, items=40, seed=1)[0])


def test_fusion_beats_each_source(fitted: Fitted) -> None:
    """Each source knows one of the two reasons to buy: a ranker that knows both must be far better out of fold."""
    best = max(fitted.gate["sources"].values())
    assert set(fitted.gate["sources"]) == set(SOURCES)
    assert fitted.gate["ndcg@10"] > best + 0.05
    assert fitted.gate["users"] > 300


def test_probabilities_are_calibrated_on_new_users(fitted: Fitted) -> None:
    """On users that were never seen: in each tenth of the scores, mean score = mean true probability, within 0.03."""
    table, truth = planted_features(users=300, items=40, seed=2)
    ranker = fitted.ranker
    score = ranker.probabilities(ranker.margins(ranker.matrix(table)))
    for part in np.array_split(np.argsort(score), 10):
        assert score[part].mean() == pytest.approx(truth[part].mean(), abs=0.03)
    assert score.mean() == pytest.approx(truth.mean(), rel=0.07)


def test_it_repeats(spark: SparkSession) -> None:
    """The same candidates, in another order, give the same model, calibration and figures."""
    quick = SETTINGS.model_copy(update={"trees": 5})
    table = planted_features(users=100, items=20, seed=4)[0]
    shuffled = table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows)))
    one, two = fitted_on(spark, table, quick), fitted_on(spark, shuffled, quick)
    assert one.ranker == two.ranker
    assert one.gate == two.gate


def test_nothing_bought_is_refused(spark: SparkSession) -> None:
    table = planted_features(users=100, items=10, seed=5)[0]
    nobody = table.set_column(table.column_names.index("label"), "label", pa.array(np.zeros(table.num_rows, np.int32)))
    with pytest.raises(ContractBroken, match=r"of \d+ candidates, 0 were bought"):
        fitted_on(spark, nobody)


def test_the_features_of_the_planted_table_are_the_rankers() -> None:
    assert set(NAMES) < set(planted_features(1, 2, 0)[0].column_names)
