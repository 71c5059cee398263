"""The ranker: margins, calibration, contributions, and how it is kept."""

import json

import numpy as np
import pyarrow as pa
import pytest
import xgboost
from pyspark.serializers import CloudPickleSerializer

from shoprec.errors import ContractBroken
from shoprec.ranking.ranker import BOOSTER, CARD, Ranker, load


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    """Trees over two features, of which the second is often missing."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 2)).astype(np.float32)
    x[rng.random(2000) < 0.3, 1] = np.nan
    y = x[:, 0] + np.nan_to_num(x[:, 1], nan=-1.0) > 0
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, xgboost.DMatrix(x, label=y), 8
    )
    return Ranker(bytes(booster.save_raw("json")), ("a", "b"), slope=0.9, shift=-0.2)


def test_nulls_are_missing_not_zero(ranker: Ranker) -> None:
    matrix = ranker.matrix(
        pa.table({"b": pa.array([None, 0.0], pa.float32()), "a": pa.array([0.2, 0.2], pa.float32())})
    )
    assert np.isnan(matrix[0, 1])
    assert matrix[0, 0] == np.float32(0.2)
    margins = ranker.margins(matrix)
    assert margins[0] < margins[1]


def test_probability_is_the_logistic_of_the_calibrated_margin(ranker: Ranker) -> None:
    margins = np.array([-50.0, -1.0, 0.0, 2.0])
    expected = [np.exp(-30) / (1 + np.exp(-30)), *(1 / (1 + np.exp(-(0.9 * m - 0.2))) for m in (-1.0, 0.0, 2.0))]
    assert ranker.probabilities(margins) == pytest.approx(expected, rel=1e-9)


def test_contributions_and_bias_make_the_margin(ranker: Ranker) -> None:
    matrix = np.array([[0.5, np.nan], [-1.0, 0.3], [2.0, 2.0]], np.float32)
    bias = ranker.margins(matrix) - ranker.contributions(matrix).sum(axis=1)
    assert bias == pytest.approx([bias[0]] * 3, abs=1e-5)
    assert ranker.contributions(matrix)[2].min() > 0


def test_saved_and_loaded_scores_are_equal(ranker: Ranker) -> None:
    files = ranker.files({"seed": 7})
    again = load(files)
    matrix = np.array([[0.5, np.nan], [-1.0, 0.3]], np.float32)
    assert (again.names, again.slope, again.shift) == (("a", "b"), 0.9, -0.2)
    assert (again.margins(matrix) == ranker.margins(matrix)).all()
    assert json.loads(files[CARD])["seed"] == 7
    assert json.loads(files[BOOSTER])["learner"]


def test_a_changed_booster_is_refused(ranker: Ranker) -> None:
    files = ranker.files({})
    with pytest.raises(ContractBroken, match=r"booster.json has SHA-256"):
        load({**files, BOOSTER: files[BOOSTER] + b" "})


def test_travels_to_workers_without_its_booster(ranker: Ranker) -> None:
    """What is pickled is the JSON alone; scores are the same on the other side."""
    matrix = np.array([[0.5, np.nan]], np.float32)
    expected = ranker.margins(matrix)
    assert "_booster" in ranker.__dict__
    serializer = CloudPickleSerializer()
    again = serializer.loads(serializer.dumps(ranker))
    assert "_booster" not in again.__dict__
    assert again.margins(matrix) == expected
