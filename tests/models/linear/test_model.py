"""linear, beside a regression of each item by itself."""

import numpy as np
import pytest

from shoprec.models.linear.config import LinearConfig, LinearSettings
from shoprec.models.linear.model import foretold, propose, weights
from tests.models.purchases import shop


def rows(held):
    lengths = held.sum(axis=1)
    return lengths.astype(np.int64), np.nonzero(held)[1].astype(np.int32)


def regressed(held, on, of, ridge):
    """The ridge regression of one item on others."""
    x, y = held[:, on].astype(float), held[:, of].astype(float)
    return np.linalg.solve(x.T @ x + ridge * np.eye(len(on)), x.T @ y)


@pytest.mark.parametrize("head", [10, 14])
def test_each_item_is_regressed_on_all_others_of_the_head(head):
    draw = np.random.default_rng(3)
    held = draw.random((60, 14)) < np.linspace(0.6, 0.15, 14)
    held = held[held.any(axis=1)]
    item, neighbour, similarity, support = weights(*rows(held), LinearSettings(head=head, regularisation=2.5))
    found = {(i, j): (s, n) for i, j, s, n in zip(item, neighbour, similarity, support, strict=True)}
    counts = held.sum(axis=0)
    speaking = sorted(np.argsort(-counts, kind="stable")[:head])
    expected = {}
    for of in range(14):
        on = [one for one in speaking if one != of]
        common = held[:, on].T.astype(int) @ held[:, of]
        for one, weight, both in zip(on, regressed(held, on, of, 2.5), common, strict=True):
            if weight > 1e-7 and both:
                expected[one, of] = (pytest.approx(weight, rel=1e-4), both)
    assert found == expected
    assert len({i for i, _ in found}) <= head


def test_the_strongest_are_kept():
    held = np.random.default_rng(4).random((50, 12)) < 0.4
    held = held[held.any(axis=1)]
    told = LinearSettings(head=12, regularisation=1.0)
    every = weights(*rows(held), told)
    few = weights(*rows(held), told.model_copy(update={"neighbours": 2}))
    for item in range(12):
        mine = np.sort(every[2][every[0] == item])[::-1][:2]
        assert np.sort(few[2][few[0] == item])[::-1].tolist() == mine.tolist()


def test_a_users_items_speak_alike_unless_told(spark):
    lines = [("u", 0, "m", 3), ("u", 1, "m", 2), ("v", 0, "m", 2), ("v", 2, "m", 1), ("w", 1, "m", 2), ("w", 2, "m", 1)]
    inputs = shop(spark, lines, dict.fromkeys("uvw", "m"), 3)
    near = foretold(inputs.purchases, inputs.items, LinearSettings(regularisation=1.0))
    # Each pair has one user: the Gram matrix with lambda is 2I + J, its inverse (I - J/5)/2, of -0.1 beside 0.4.
    assert {(r.item_id, r.neighbour_id, round(r.similarity, 6), r.support) for r in near.collect()} == {
        (f"i{a}", f"i{b}", 0.25, 1) for a in range(3) for b in range(3) if a != b
    }
    alike = {(r.user_id, r.item_idx): r.score for r in propose(inputs, near, LinearConfig(), 5, 0).collect()}
    assert alike == pytest.approx({("u", 2): 0.5, ("v", 1): 0.5, ("w", 0): 0.5})
    late = {(r.user_id, r.item_idx): r.score for r in propose(inputs, near, LinearConfig(decay=0.5), 5, 0).collect()}
    assert late == pytest.approx({("u", 2): 0.375, ("v", 1): 0.375, ("w", 0): 0.375})
