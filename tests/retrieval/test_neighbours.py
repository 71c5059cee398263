"""Neighbours against dense numpy, the caps, and skew."""

import numpy as np
import pytest

from shoprec.retrieval import neighbours as module
from shoprec.retrieval.neighbours import NeighbourSettings, cosine, lift, neighbours
from shoprec.retrieval.ties import number_hashes, tie_hashes


def held_rows(spark, held, latest=None):
    latest = latest if latest is not None else np.zeros_like(held, dtype=int)
    rows = [(f"h{h}", int(i), int(latest[h, i])) for h, i in zip(*np.nonzero(held), strict=True)]
    return spark.createDataFrame(rows, "holder string, item_idx int, latest int")


def random_holdings(seed, holders=60, items=25):
    draw = np.random.default_rng(seed)
    return draw.random((holders, items)) < np.linspace(0.02, 0.6, items)


def brute_force(held, settings, score):
    """{item: [(neighbour, similarity, support)]} from the dense product of the whole matrix."""
    held = held.astype(np.int64)
    common, count = held.T @ held, held.sum(axis=0)
    hashes = number_hashes(np.arange(held.shape[1]))
    answer = {}
    for item in range(held.shape[1]):
        near = [
            (other, score(common[item, other], count[item], count[other], len(held)), int(common[item, other]))
            for other in range(held.shape[1])
            if other != item and common[item, other] >= settings.min_support
        ]
        ties = tie_hashes(np.full(len(hashes), hashes[item]), hashes)
        near.sort(key=lambda n: (-n[1], ties[n[0]]))
        if near:
            answer[item] = near[: settings.neighbours]
    return answer


def found(result):
    lists = {}
    for row in result.collect():
        lists.setdefault(row["item_idx"], []).append((row["neighbour_idx"], row["similarity"], row["support"]))
    return {item: sorted(near) for item, near in lists.items()}


MEASURES = {
    "cosine": (cosine(3.0), lambda c, a, b, n: c / (np.sqrt(a * b) + 3.0)),
    "lift": (lift(2.0), lambda c, a, b, n: c / (a * b / n + 2.0)),
}


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("kept", "support", "blocks"), [(4, 2, 3), (100, 1, 1)])
def test_equal_to_the_dense_product(spark, measure, kept, support, blocks, monkeypatch):
    monkeypatch.setattr(module, "SLICE_PRODUCTS", 200)
    held = random_holdings(7)
    held = held[held.any(axis=1)]
    settings = NeighbourSettings(neighbours=kept, min_support=support, blocks=blocks)
    ours, theirs = MEASURES[measure]
    result = found(neighbours(held_rows(spark, held), settings, ours))
    expected = brute_force(held, settings, theirs)
    assert result.keys() == expected.keys()
    for item, near in expected.items():
        assert [n[0] for n in result[item]] == sorted(n[0] for n in near)
        for got, want in zip(result[item], sorted(near), strict=True):
            assert got[1] == pytest.approx(want[1], rel=1e-12)
            assert got[2] == want[2]


def test_holders_keep_their_latest_items(spark):
    held = np.ones((5, 6), dtype=bool)
    latest = np.tile(np.array([9, 9, 1, 2, 8, 3]), (5, 1))
    settings = NeighbourSettings(min_support=1, max_items=3)
    result = found(neighbours(held_rows(spark, held, latest), settings, cosine(0.0)))
    assert set(result) == {0, 1, 4}


def test_repeats_count_once(spark):
    rows = held_rows(spark, np.ones((4, 2), dtype=bool))
    result = found(neighbours(rows.union(rows), NeighbourSettings(min_support=1), cosine(0.0)))
    assert result == {0: [(1, 1.0, 4)], 1: [(0, 1.0, 4)]}


def test_an_item_in_half_of_all_baskets_is_sampled_and_scaled_back(spark):
    # Item 0 stands in 2,000 of 4,000 baskets, in 997 of them with item 1; a tenth of its holders is looked at.
    held = np.zeros((4000, 3), dtype=bool)
    held[:2000, 0], held[:1994:2, 1], held[2000:, 2] = True, True, True
    rows = held_rows(spark, held)
    assert found(neighbours(rows, NeighbourSettings(), cosine(0.0)))[0] == [
        (1, pytest.approx(997 / np.sqrt(2000 * 997)), 997)
    ]
    sampled = NeighbourSettings(min_support=3, max_holders=200)
    ((neighbour, similarity, support),) = found(neighbours(rows, sampled, cosine(0.0)))[0]
    # Whole tens, because each holder that is looked at stands for ten, but never more than item 1 has holders; 997
    # draws of a tenth: four standard errors.
    assert neighbour == 1
    assert support % 10 == 0 or support == 997
    assert support == pytest.approx(997, rel=4 * np.sqrt(0.9 / 0.1 / 997))
    assert similarity == pytest.approx(support / np.sqrt(2000 * 997))


def test_holders_of_one_item_count_among_its_holders(spark):
    # Items 0 and 1 share 5 holders; item 0 alone has 20 more.
    held = np.zeros((25, 2), dtype=bool)
    held[:, 0], held[:5, 1] = True, True
    rows = held_rows(spark, held)
    similarity = pytest.approx(5 / np.sqrt(25 * 5))
    expected = {0: [(1, similarity, 5)], 1: [(0, similarity, 5)]}
    assert found(neighbours(rows, NeighbourSettings(), cosine(0.0))) == expected


def test_slices_cover_every_row_once_and_stay_small(monkeypatch):
    monkeypatch.setattr(module, "SLICE_PRODUCTS", 10)
    products = np.array([3, 3, 3, 3, 50, 0, 10, 1])
    slices = list(module._slices(products))
    assert [n for start, stop in slices for n in range(start, stop)] == list(range(8))
    assert all(products[a:b].sum() <= 10 or b - a == 1 for a, b in slices)
    assert list(module._slices(np.array([]))) == []


def test_too_little_support_gives_no_neighbours(spark):
    assert neighbours(held_rows(spark, np.eye(4, dtype=bool)), NeighbourSettings(), cosine(0.0)).count() == 0
