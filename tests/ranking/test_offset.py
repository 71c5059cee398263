"""The offset: found again where labels were drawn by it, the same in Spark and in numpy, part of every margin."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from shoprec.ranking.config import HABIT, RankingConfig, Trees
from shoprec.ranking.learner import train
from shoprec.ranking.offset import Offset, _logarithm, fit_offset
from shoprec.ranking.ranker import CARD, Known, Ranker, Rankers, load
from tests.ranking.tables import with_features

NAMES = ("pair_days", HABIT, "other")


def test_values_by_hand() -> None:
    """log(0.999 + 0.001) = 0; what has no score, or one below nothing, has log(0.001) = -6.9078."""
    matrix = np.array([[1, 0.999, 0], [1, np.nan, 0], [1, -3.0, 0], [1, np.e - 0.001, 0]], np.float32)
    made = Offset(2.0, -1.0, 0.0).margins(matrix, NAMES)
    assert made == pytest.approx([-1.0, -14.8155, -14.8155, 1.0], abs=1e-3)


def test_spark_and_numpy_agree(spark: SparkSession) -> None:
    """What the regression is fitted to in Spark is what margins are made of: same scores, unknown and negative too."""
    scores = [0.5, 7.0, None, float("nan"), -1.0, 0.0]
    rows = spark.createDataFrame([(s,) for s in scores], f"{HABIT} float")
    matrix = np.array([[0, np.nan if s is None else s, 0] for s in scores], np.float32)
    made = [row[0] for row in rows.select(_logarithm()).collect()]
    assert made == pytest.approx(list(Offset(1.0, 0.0, 0.0).margins(matrix, NAMES)), abs=1e-5)


@pytest.fixture(scope="module")
def drawn() -> pa.Table:
    """Labels of log-odds 1.5 log(score) - 1, plus 1 where ``other`` is 1; a third of the rows stands for two."""
    rng = np.random.default_rng(4)
    score, other = rng.lognormal(size=12_000), rng.integers(0, 2, 12_000)
    label = rng.random(12_000) < 1 / (1 + np.exp(-(1.5 * np.log(score) - 1 + other)))
    return pa.table({
        "pair_days": pa.array(np.ones(12_000, np.float32)),
        HABIT: pa.array(score.astype(np.float32)),
        "other": pa.array(other.astype(np.float32)),
        "label": pa.array(label.astype(np.int32)),
        "weight": pa.array(np.where(np.arange(12_000) % 3 == 0, 2.0, 1.0)),
    })  # fmt: skip


def test_it_is_the_logistic_regression_on_the_logarithm(spark: SparkSession, drawn: pa.Table) -> None:
    """Half of the rows are one log-odd up: slope 1.5 stays (a little less, mixed), the shift is half-way up."""
    offset = fit_offset(spark.createDataFrame(drawn))
    assert offset.slope == pytest.approx(1.45, abs=0.08)
    assert offset.shift == pytest.approx(-0.5, abs=0.1)
    matrix = np.column_stack([drawn[name].to_numpy() for name in NAMES])
    mean = np.average(offset.margins(matrix, NAMES), weights=drawn["weight"].to_numpy())
    assert offset.usual == pytest.approx(mean, abs=0.01)


def test_trees_add_what_it_does_not_explain(spark: SparkSession, drawn: pa.Table) -> None:
    """With the offset, few shallow trees are enough: margins near the truth, and contributions that sum to them."""
    rows = spark.createDataFrame(with_features(drawn, NAMES))
    offset = fit_offset(rows)
    trees = Trees(rounds=40, depth=1, learning_rate=0.2, column_share=1)
    told = rows.withColumn("offset", (offset.slope * _logarithm() + offset.shift).cast("float"))
    ranker = Ranker(train(told, NAMES, 5, RankingConfig(workers=1), trees), NAMES, offset=offset)
    matrix = np.array([[1, 1, 0], [1, 1, 1], [1, 4, 0], [1, 4, 1]], np.float32)
    margins = ranker.margins(matrix)
    truth = 1.5 * np.log(matrix[:, 1]) - 1 + matrix[:, 2]
    assert margins == pytest.approx(truth, abs=0.25)
    rest = margins - ranker.contributions(matrix).sum(axis=1)
    assert rest == pytest.approx([rest[0]] * 4, abs=1e-4)
    assert ranker.contributions(matrix)[2, 1] > ranker.contributions(matrix)[0, 1] + 1
    files = Rankers(Known(ranker, 1.0, 0.5, 0.0), Ranker(ranker.booster_json, NAMES)).files({})
    assert load(files).known.ranker == ranker
    assert load(files).new.offset is None
    assert set(json.loads(files[CARD])["offset"]) == {"known"}
