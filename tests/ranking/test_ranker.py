"""The rankers: margins, calibration, contributions, and how it is kept."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import xgboost
from pyspark.serializers import CloudPickleSerializer

from shoprec.errors import ContractBroken
from shoprec.packed import packed
from shoprec.ranking.config import FEATURES
from shoprec.ranking.ranker import CARD, Known, Ranker, Rankers, booster_file, load


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
    rows = pa.table({"b": pa.array([None, 0.0], pa.float32()), "a": pa.array([0.2, 0.2], pa.float32())})
    matrix = ranker.matrix(packed(rows, {FEATURES: ranker.names}))
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


@pytest.fixture(scope="module")
def rankers(ranker: Ranker) -> Rankers:
    """Known items and new ones by the same trees, calibrated apart."""
    known = Known(replace(ranker, slope=1.0, shift=0.0), slope=2.0, by_trips=0.5, shift=-1.0)
    return Rankers(known, replace(ranker, slope=2.0, shift=0.5))


def test_odds_of_known_items_by_hand(rankers: Rankers) -> None:
    matrix = np.array([[0.5, np.nan], [-1.0, 0.3]], np.float32)
    made = rankers.known.odds(matrix, np.array([1.0, np.e**2], np.float32))
    assert made == pytest.approx(2 * rankers.known.ranker.margins(matrix) + [-1, 0], abs=1e-6)


def test_each_row_goes_by_the_ranker_of_its_part(rankers: Rankers) -> None:
    """Known items have the logistic of their odds, 0 where they have none; new ones the other ranker's calibration."""
    matrix = np.array([[0.0, 0.3], [2.0, 0.3], [0.0, np.nan]], np.float32)
    odds, known = np.array([np.nan, 1.5, np.nan], np.float32), np.array([False, True, True])
    margin = rankers.new.margins(matrix)[0]
    expected = [1 / (1 + np.exp(-(2 * margin + 0.5))), 1 / (1 + np.exp(-1.5)), 0]
    assert rankers.probabilities(matrix, odds, known) == pytest.approx(expected)
    assert rankers.probabilities(matrix[:0], odds[:0], known[:0]).shape == (0,)


def test_without_a_ranker_of_known_items_the_other_ranks_all(rankers: Rankers) -> None:
    alone = Rankers(None, rankers.new)
    matrix = np.array([[0.0, 0.3], [2.0, 0.3]], np.float32)
    made = alone.probabilities(matrix, np.full(2, np.nan, np.float32), np.array([True, False]))
    assert made == pytest.approx(rankers.new.probabilities(rankers.new.margins(matrix)))
    assert load(alone.files({})) == alone
    assert set(alone.digests) == {"ranker_new"}


def test_saved_and_loaded_scores_are_equal(rankers: Rankers) -> None:
    files = rankers.files({"seed": 7})
    again = load(files)
    matrix = np.array([[0.5, np.nan], [-1.0, 0.3]], np.float32)
    assert again == rankers
    assert (again.new.margins(matrix) == rankers.new.margins(matrix)).all()
    assert json.loads(files[CARD])["seed"] == 7
    assert json.loads(files[booster_file("new")])["learner"]


@pytest.mark.parametrize("part", ["known", "new"])
def test_a_changed_booster_is_refused(rankers: Rankers, part: str) -> None:
    files, name = rankers.files({}), booster_file(part)
    with pytest.raises(ContractBroken, match=rf"{name} has SHA-256"):
        load({**files, name: files[name] + b" "})


def test_travels_to_workers_without_its_booster(ranker: Ranker) -> None:
    """What is pickled is the JSON alone; scores are the same on the other side."""
    matrix = np.array([[0.5, np.nan]], np.float32)
    expected = ranker.margins(matrix)
    assert "_booster" in ranker.__dict__
    serializer = CloudPickleSerializer()
    again = serializer.loads(serializer.dumps(ranker))
    assert "_booster" not in again.__dict__
    assert again.margins(matrix) == expected
