"""ALS against an own numpy solver of the same objective."""

import numpy as np
import pytest

from shoprec.models.als.config import AlsConfig
from shoprec.models.als.model import fit

USERS, ITEMS, SEED = 25, 18, 3
CONFIG = AlsConfig(rank=4, iterations=8, regularisation=0.1, alpha=5.0, blocks=2)


def observed():
    """Two tastes with noise; the weight says how often."""
    draw = np.random.default_rng(2)
    own = (np.arange(USERS)[:, None] % 2) == (np.arange(ITEMS)[None, :] % 2)
    return draw.integers(1, 4, (USERS, ITEMS)) * (draw.random((USERS, ITEMS)) < np.where(own, 0.7, 0.08))


def objective(users, items, weights):
    """Hu, Koren, Volinsky 2008, eq. 3, with lambda scaled by each row's samples as Spark does (Zhou et al. 2008)."""
    wanted, confidence = weights > 0, 1 + CONFIG.alpha * weights
    loss = (confidence * (wanted - users @ items.T) ** 2).sum()
    scaled_u = wanted.sum(axis=1) @ (users**2).sum(axis=1)
    scaled_i = wanted.sum(axis=0) @ (items**2).sum(axis=1)
    return loss + CONFIG.regularisation * (scaled_u + scaled_i)


def solve(fixed, weights):
    """The exact minimum over one side, row by row."""
    solved = np.zeros((len(weights), fixed.shape[1]))
    for row, own in enumerate(weights):
        confidence = np.diag(1 + CONFIG.alpha * own)
        left = fixed.T @ confidence @ fixed + CONFIG.regularisation * (own > 0).sum() * np.eye(fixed.shape[1])
        solved[row] = np.linalg.solve(left, fixed.T @ confidence @ (own > 0))
    return solved


@pytest.fixture(scope="module")
def tables(spark):
    weights = observed()
    rows = [(int(u), int(i), float(weights[u, i])) for u, i in zip(*np.nonzero(weights), strict=True)]
    # The weight of one pair comes in two parts, which add up.
    halves = [(u, i, w / 2) for u, i, w in rows] * 2
    return (
        spark.createDataFrame(halves, "user_idx int, item_idx int, weight float"),
        spark.createDataFrame([(f"u{u}", u) for u in range(USERS + 1)], "user_id string, user_idx int"),
        spark.createDataFrame([(f"i{i}", i) for i in range(ITEMS)], "item_id string, item_idx int"),
    )


def factors(rows, kind, count):
    found = {row[f"{kind}_id"]: row["vector"] for row in rows.collect()}
    assert len(found) <= count
    return np.array([found.get(f"{kind[0]}{n}", [0.0] * CONFIG.rank) for n in range(count)])


@pytest.fixture(scope="module")
def fitted(tables):
    users, items = fit(*tables, CONFIG, SEED)
    assert users.where("user_id = 'u25'").count() == 0
    return factors(users, "user", USERS), factors(items, "item", ITEMS)


def test_the_objective_is_as_low_as_an_own_solver_brings_it(fitted):
    weights = observed()
    draw = np.random.default_rng(0)
    users, items = draw.normal(0, 0.1, (USERS, CONFIG.rank)), draw.normal(0, 0.1, (ITEMS, CONFIG.rank))
    start, course = objective(users, items, weights), []
    for _ in range(CONFIG.iterations):
        users = solve(items, weights)
        items = solve(users, weights.T)
        course.append(objective(users, items, weights))
    assert course == sorted(course, reverse=True)
    # Two starts may end in two valleys: Spark's must not be the higher one.
    assert objective(*fitted, weights) <= 1.03 * course[-1]
    assert objective(*fitted, weights) < start / 3


def test_the_users_are_at_the_exact_minimum_for_their_items(fitted):
    # Spark ends a round with the users: given the items no other users do better.
    users, items = fitted
    assert users == pytest.approx(solve(items, observed()), abs=2e-3)


def test_one_seed_gives_one_result_whatever_the_order_of_rows(tables, fitted):
    samples, *indexes = tables
    users, items = fit(samples.repartition(3).orderBy("weight", "item_idx"), *indexes, CONFIG, SEED)
    assert factors(users, "user", USERS) == pytest.approx(fitted[0], abs=1e-5)
    assert factors(items, "item", ITEMS) == pytest.approx(fitted[1], abs=1e-5)
    other, _ = fit(*tables, CONFIG, SEED + 1)
    assert np.abs(factors(other, "user", USERS) - fitted[0]).max() > 1e-3
