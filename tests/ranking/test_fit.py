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
SETTINGS = RankingConfig(
    sources=SOURCES, trees=60, depth=4, min_child_weight=5, negative_share=0.5, learning_rate=0.15, workers=1
)
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
    score = fitted.rankers.probabilities(fitted.rankers.matrix(table))
    for part in np.array_split(np.argsort(score), 10):
        assert score[part].mean() == pytest.approx(truth[part].mean(), abs=0.03)
    assert score.mean() == pytest.approx(truth.mean(), rel=0.07)


def test_it_repeats(spark: SparkSession, table: pa.Table, fitted: Fitted) -> None:
    """The same candidates, in another order, give the same model, calibration and figures."""
    again = fitted_on(spark, table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows))))
    assert again.rankers == fitted.rankers
    assert again.gate == fitted.gate


def test_known_and_new_items_learn_apart(spark: SparkSession) -> None:
    """Purchases of known items follow one source, those of new items the other: each part's trees must go by its own.

    Every second item is known. Labels are drawn anew with probability .8 where the part's source ranks it in its best
    quarter and .1 elsewhere: about 4,000 purchases in either part.
    """
    table = planted_features(users=800, items=40, seed=6)[0]
    rng = np.random.default_rng(6)
    known = np.arange(table.num_rows) % 2 == 0
    ranks = [table[f"rank_{source}"].to_numpy() for source in SOURCES]
    good = np.nan_to_num(np.where(known, *ranks), nan=99) <= 10
    label = rng.random(table.num_rows) < np.where(good, 0.8, 0.1)
    for name, values in (("label", label.astype(np.int32)), ("pair_days", known.astype(np.float32))):
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    fitted = fitted_on(spark, table)
    assert fitted.rankers.known != fitted.rankers.new
    assert fitted.rankers.known.offset is not None
    assert fitted.rankers.new.offset is None
    score = fitted.rankers.probabilities(fitted.rankers.matrix(table))
    for part in (known, ~known):
        assert score[part & good].mean() == pytest.approx(0.8, abs=0.05)
        assert score[part & ~good].mean() == pytest.approx(0.1, abs=0.05)
        assert score[part & good].min() > score[part & ~good].max()


def test_few_purchases_of_one_sort_are_learnt_from_together(fitted: Fitted) -> None:
    """No planted item was bought before."""
    assert fitted.rankers.known == fitted.rankers.new


def test_nothing_bought_is_refused(spark: SparkSession) -> None:
    table = planted_features(users=100, items=10, seed=5)[0]
    nobody = table.set_column(table.column_names.index("label"), "label", pa.array(np.zeros(table.num_rows, np.int32)))
    with pytest.raises(ContractBroken, match=r"of \d+ candidates, 0 were bought"):
        fitted_on(spark, nobody)


def test_the_features_of_the_planted_table_are_the_rankers() -> None:
    assert set(NAMES) < set(planted_features(1, 2, 0)[0].column_names)
