"""spectral against numpy's own decomposition of the same matrix."""

import numpy as np
import pyarrow as pa
import pytest

from shoprec.models.spectral import model
from shoprec.models.spectral.config import SpectralConfig

USERS, ITEMS, CAP = 30, 20, 3.0
PLAIN = {"rank": 4, "oversampling": 6, "passes": 6, "cap": CAP, "popularity": 0.0, "blocks": 3}
#: As many directions as there are items: all are found, to the last digits.
EXACT = {"oversampling": ITEMS, "passes": 3}


def observed():
    """Four tastes of unequal strength, with noise; the weight says how often."""
    draw = np.random.default_rng(2)
    own = (np.arange(USERS)[:, None] % 4) == (np.arange(ITEMS)[None, :] % 4)
    weights = draw.integers(1, 6, (USERS, ITEMS)) * (draw.random((USERS, ITEMS)) < np.where(own, 0.8, 0.08))
    weights[USERS - 1] = 0
    return weights.astype(float)


def tables(spark, weights):
    rows = [(int(u), int(i), float(weights[u, i]), float((u * 7 + i) % 30)) for u, i in np.argwhere(weights > 0)]
    # The weight of one pair comes in two parts, which add up; the younger tells its age.
    halves = [(u, i, w / 2, age + part) for u, i, w, age in rows for part in (0, 50)]
    return (
        spark.createDataFrame(halves, "user_idx int, item_idx int, weight double, age_days double"),
        spark.createDataFrame([(f"u{u}", u) for u in range(USERS)], "user_id string, user_idx int"),
        spark.createDataFrame([(f"i{i}", i) for i in range(ITEMS)], "item_id string, item_idx int"),
    )


def fitted(spark, weights, seed=3, **settings):
    """({user number: vector}, {item number: vector})"""
    config = SpectralConfig(**{**PLAIN, **settings})
    with model.fitted(*tables(spark, weights), config, seed) as sides:
        return tuple({int(row[0][1:]): np.array(row[1]) for row in side.collect()} for side in sides)


def scores(sides):
    users, items = sides
    return {(u, i): float(x @ y) for u, x in users.items() for i, y in items.items()}


def expected(weights, rank):
    _, _, directions = np.linalg.svd(np.minimum(weights, CAP))
    return np.minimum(weights, CAP) @ directions[:rank].T @ directions[:rank]


@pytest.fixture(scope="module")
def plain(spark):
    return fitted(spark, observed())


def test_scores_are_the_rows_projected_onto_the_strongest_directions(plain):
    wanted = expected(observed(), 4)
    for (u, i), score in scores(plain).items():
        assert score == pytest.approx(wanted[u, i], abs=1e-3)
    assert {len(vector) for side in plain for vector in side.values()} == {4}


def test_who_chose_nothing_has_no_vector(plain):
    users, items = plain
    assert set(users) == set(range(USERS - 1))
    assert set(items) == set(np.flatnonzero(observed().any(axis=0)).tolist())


def test_blocks_and_seed_change_no_score(spark, plain):
    other = scores(fitted(spark, observed(), seed=8, blocks=1, **EXACT))
    for pair, score in scores(plain).items():
        assert other[pair] == pytest.approx(score, abs=1e-3)


def test_an_items_scores_are_lifted_by_its_recent_users(spark, plain):
    weights = observed()
    recent = np.array([sum(weights[u, i] > 0 and (u * 7 + i) % 30 <= 14 for u in range(USERS)) for i in range(ITEMS)])
    lifted, flat = scores(fitted(spark, weights, popularity=0.5, **EXACT)), scores(plain)
    for (u, i), score in flat.items():
        assert lifted[u, i] == pytest.approx(score * np.sqrt(1 + recent[i]), abs=5e-3)


def test_fewer_directions_than_rank(spark):
    """Two tastes that share nothing have two directions, and the projection is the matrix itself."""
    weights = np.zeros((USERS, ITEMS))
    weights[::2, ::2], weights[1::2, 1::2] = 1, 2
    users, items = fitted(spark, weights, **EXACT)
    assert {len(vector) for side in (users, items) for vector in side.values()} == {2}
    for (u, i), score in scores((users, items)).items():
        assert score == pytest.approx(weights[u, i], abs=1e-5)


def test_no_samples_give_no_vectors(spark):
    assert fitted(spark, np.zeros((USERS, ITEMS)), **EXACT) == ({}, {})


def test_what_turns_vectors_makes_them_orthonormal_the_strongest_first():
    vectors = np.random.default_rng(1).normal(size=(50, 5)) * [1, 9, 3, 0, 27]
    turned = vectors @ model.orthonormal(vectors.T @ vectors)
    assert turned.T @ turned == pytest.approx(np.eye(4), abs=1e-9)
    assert np.abs(turned.T @ vectors).argmax(axis=1).tolist() == [4, 1, 2, 0]


def test_signs_are_even_unlike_and_an_items_own():
    made = model.signs(np.arange(4000), 70, seed=5)
    assert made.shape == (4000, 70)
    assert set(np.unique(made)) == {-1.0, 1.0}
    # Means and products of 4,000 fair signs have a standard error of 0.016.
    assert np.abs(made.mean(axis=0)).max() < 0.08
    assert np.abs(made.T @ made / 4000 - np.eye(70)).max() < 0.09
    assert (model.signs(np.array([7, 3]), 70, seed=5) == made[[7, 3]]).all()
    assert (model.signs(np.arange(4000), 70, seed=6) != made).mean() == pytest.approx(0.5, abs=0.01)


def test_who_has_tastes_of_their_own_gets_no_vector(spark):
    """Two of thirty buy two items that no one else does: among the two strongest directions there is none of theirs."""
    weights = np.zeros((USERS, ITEMS))
    weights[:14, :9], weights[14:28, 9:18], weights[28:, 18:] = 2, 1, 1
    users, items = fitted(spark, weights, rank=2, **EXACT)
    assert set(users) == set(range(28))
    assert set(items) == set(range(ITEMS))


def test_a_user_keeps_the_latest_items(spark):
    """The age of the user's pairs is the item's number."""
    users, items = fitted(spark, np.ones((1, 6)), max_items=4, **EXACT)
    assert set(users) == {0}
    assert set(items) == {0, 1, 2, 3}


def test_weights_that_have_all_but_vanished_still_count(spark):
    faint = scores(fitted(spark, observed() * 1e-30, **EXACT))
    plain = scores(fitted(spark, (observed() > 0) * 1.0, **EXACT))
    assert faint.keys() == plain.keys()
    least = CAP * model.LEAST_WEIGHT
    assert [score / least for score in faint.values()] == pytest.approx(list(plain.values()), abs=1e-3)


def test_the_order_of_rows_changes_no_bit():
    """What two users add to item i cancels out, and leaves what the others add, unless that was lost in the first's."""
    draw, i = np.random.default_rng(4), 0
    sign = model.signs(np.arange(40), 6, seed=1)[:, 0]
    j = int(np.flatnonzero(sign != sign[i])[0])
    # The first adds w·w to the item's first number, the second w·(w - 2w); the others add less than a ten-thousandth.
    chosen, weights = [[i], [i, j]], [[1e9], [1e9, 2e9]]
    chosen += [np.sort(draw.choice(40, size=12, replace=False)).tolist() for _ in range(9)]
    weights += [(draw.random(12) + 0.5).tolist() for _ in range(9)]
    rows = pa.table({
        "block": pa.array([7] * 11, pa.int32()), "user_idx": pa.array(range(11), pa.int32()),
        "items": pa.array(chosen, pa.list_(pa.int32())), "weights": pa.array(weights),
    })  # fmt: skip
    first = model._first_shares(rows, 6, seed=1, parts=1)
    few = rows.slice(0, 5).set_column(0, "block", pa.array([2] * 5, pa.int32()))
    other = model._first_shares(few, 6, seed=1, parts=1)
    summed = model._added(pa.concat_tables([first, other]), 6)
    assert summed.column("block").to_pylist() == [model.ALL, 2, 7]
    turned = np.linalg.qr(draw.normal(size=(6, 6)))[0]
    sent = summed.slice(2, 1)
    for _ in range(8):
        shuffled = rows.take(draw.permutation(11))
        assert model._first_shares(shuffled, 6, seed=1, parts=1) == first
        assert model._added(pa.concat_tables([other, first]), 6) == summed
        assert model._shares(shuffled, sent, turned, parts=1) == model._shares(rows, sent, turned, parts=1)
