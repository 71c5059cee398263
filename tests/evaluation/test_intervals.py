"""Bootstrap intervals and paired tests: weights, coverage of a known mean, the null, and what rows come out."""

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from shoprec.evaluation.config import USER_METRICS
from shoprec.evaluation.intervals import _interval, _means, figures, p_value, poisson_weights

REPLICATES = 400


def weights(users: int, replicates: int = REPLICATES, seed: int = 1) -> np.ndarray:
    draws = np.random.default_rng(seed).integers(0, 2**64, users, dtype=np.uint64)
    return poisson_weights(draws, replicates).astype(float)


def means(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    counts = np.hstack([np.ones((len(values), 1)), counts])
    return _means(np.stack([values @ counts, counts.sum(axis=0)]))


def frame(spark: SparkSession, rows: list[tuple]) -> DataFrame:
    """(subject, list, user, segment, value or None): every measure has the same value."""
    wide = [(*row[:4], *([row[4]] * len(USER_METRICS))) for row in rows]
    names = ", ".join(f"`{name}` double" for name in USER_METRICS)
    return spark.createDataFrame(wide, f"subject string, list string, user_id string, segment string, {names}")


def test_weights_are_poisson_one_and_independent() -> None:
    counts = weights(2000, 1000)
    assert counts.mean() == pytest.approx(1, abs=0.003)  # standard error 0.0007
    assert counts.var() == pytest.approx(1, abs=0.01)
    assert (counts == 0).mean() == pytest.approx(np.exp(-1), abs=0.002)
    assert (counts == 3).mean() == pytest.approx(np.exp(-1) / 6, abs=0.002)
    across = np.corrcoef(counts[:, :200].T)
    assert np.abs(across[~np.eye(200, dtype=bool)]).max() < 6 / np.sqrt(2000)


def test_weights_of_users_with_neighbouring_hashes_are_unrelated() -> None:
    counts = poisson_weights(np.arange(50, dtype=np.uint64), 4000).astype(float)
    across = np.corrcoef(counts)
    assert np.abs(across[~np.eye(50, dtype=bool)]).max() < 6 / np.sqrt(4000)


def test_weights_are_a_function_of_the_hash_alone() -> None:
    draws = np.array([7, 2**63 + 5, 11], dtype=np.uint64)
    np.testing.assert_array_equal(poisson_weights(draws, 100)[1:2], poisson_weights(draws[1:2], 100))
    np.testing.assert_array_equal(poisson_weights(draws, 101)[:, :100], poisson_weights(draws, 100))


def test_an_interval_holds_the_true_mean_nineteen_times_in_twenty() -> None:
    draw, held, samples = np.random.default_rng(5), 0, 400
    for sample in range(samples):
        values = draw.exponential(2.0, 150)  # skewed, mean 2
        bounds = _interval(means(values, weights(150, seed=sample)))
        held += bounds["low"] <= 2.0 <= bounds["high"]
    assert 0.90 < held / samples < 0.985  # 0.95, standard error 0.011, a little less by the skew


def test_an_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(8).normal(0, 1, 3000)
    bounds = _interval(means(values, weights(3000, 2000)))
    assert bounds["high"] - bounds["low"] == pytest.approx(2 * 1.96 / np.sqrt(3000), rel=0.08)


def test_where_nothing_differs_p_is_uniform() -> None:
    draw, samples = np.random.default_rng(9), 400
    p = np.array([p_value(means(draw.normal(0, 1, 120), weights(120, seed=1000 + s))) for s in range(samples)])
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.035)
    assert (p < 0.5).mean() == pytest.approx(0.5, abs=0.08)


def test_p_is_small_for_a_clear_difference_and_one_for_none() -> None:
    assert p_value(means(np.full(50, 0.3) + np.arange(50) / 1000, weights(50))) == pytest.approx(1 / (REPLICATES + 1))
    assert p_value(means(np.zeros(50), weights(50))) == 1.0


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray, list[tuple]]:
    """300 users: fused and als differ on the list 'all'; on 'discovery' fused and als are equal, knn has one value."""
    draw = np.random.default_rng(2)
    fused, als = draw.uniform(0.4, 1.0, 300), draw.uniform(0.0, 0.5, 300)
    rows = []
    for n in range(300):
        user, segment = f"u{n}", f"activity={'low' if n < 100 else 'high'}"
        rows += [("fused", "all", user, segment, float(fused[n])), ("als", "all", user, segment, float(als[n]))]
        rows += [(subject, "discovery", user, segment, float(als[n])) for subject in ("fused", "als")]
        rows += [("knn", "discovery", user, segment, 0.5 if n == 7 else None), ("none", "all", user, segment, None)]
    return fused, als, rows


@pytest.fixture(scope="module")
def got(spark: SparkSession, sample: tuple) -> dict[tuple, dict]:
    return found(figures(frame(spark, sample[2]).repartition(3), 11, REPLICATES))


def found(rows: DataFrame) -> dict[tuple, dict]:
    return {(r["subject"], r["list"], r["segment"], r["metric"]): r.asDict() for r in rows.collect()}


def test_values_are_means_over_all_users_and_each_segment(got: dict, sample: tuple) -> None:
    fused, als, _ = sample
    assert got["fused", "all", "all", "ndcg@10"]["value"] == pytest.approx(fused.mean())
    assert got["fused", "all", "all", "ndcg@10"]["p_value"] is None
    low = got["als", "all", "activity=low", "auc"]
    assert (low["value"], low["users"]) == (pytest.approx(als[:100].mean()), 100)
    assert {key[2] for key in got} == {"all", "activity=low", "activity=high"}
    assert {key[3] for key in got} == set(USER_METRICS)


def test_fused_is_paired_with_each_source_by_user(got: dict, sample: tuple) -> None:
    fused, als, _ = sample
    paired = got["fused - als", "all", "all", "ndcg@10"]
    assert paired["value"] == pytest.approx((fused - als).mean())
    assert paired["users"] == 300
    standard_error = (fused - als).std() / np.sqrt(300)
    assert paired["high"] - paired["low"] == pytest.approx(2 * 1.96 * standard_error, rel=0.2)
    assert paired["p_value"] == pytest.approx(1 / (REPLICATES + 1))


def test_equal_subjects_have_no_difference_at_all(got: dict) -> None:
    same = [row for key, row in got.items() if key[:3] == ("fused - als", "discovery", "all")]
    assert len(same) == len(USER_METRICS)
    for row in same:
        assert [row["value"], row["low"], row["high"], row["p_value"]] == pytest.approx([0, 0, 0, 1], abs=1e-12)


def test_users_without_a_value_are_left_out_and_a_subject_without_any_has_no_row(got: dict) -> None:
    known = got["knn", "discovery", "all", "auc"]
    assert (known["value"], known["users"]) == (0.5, 1)
    assert ("knn", "discovery", "activity=high", "auc") not in got
    assert not [key for key in got if "none" in key[0]]


def test_partitions_and_order_change_nothing_but_the_last_digits(got: dict, spark: SparkSession, sample: tuple) -> None:
    again = found(figures(frame(spark, sample[2][::-1]).coalesce(1), 11, REPLICATES))
    assert got.keys() == again.keys()
    for name in ("value", "low", "high"):
        ours = [got[key][name] for key in got]
        np.testing.assert_allclose(ours, [again[key][name] for key in got], rtol=1e-9, atol=1e-12)
    assert [row["p_value"] for row in got.values()] == [again[key]["p_value"] for key in got]
