"""Running best-of lists against sorting everything."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoprec.retrieval.best import Best
from shoprec.retrieval.ties import tie_hashes


def sorted_out(entries, row_hashes, item_hashes, k):
    """An independent answer: plain Python's sort of every row's entries."""
    answer = []
    for row in range(len(row_hashes)):
        mine = [(r, item, score) for r, item, score in entries if r == row]
        ties = tie_hashes(np.full(len(item_hashes), row_hashes[row]), item_hashes)
        answer += sorted(mine, key=lambda e: (-e[2], ties[e[1]]))[:k]
    return answer


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 30), st.integers(0, 6), st.integers(1, 3), st.integers(1, 5), st.integers(0, 9999)
)
def test_pieces_give_what_sorting_all_gives(rows, items, k, levels, pieces, seed):
    draw = np.random.default_rng(seed)
    row_hashes, item_hashes = draw.integers(-(2**62), 2**62, rows), draw.integers(-(2**62), 2**62, items)
    entries = [(r, i, float(draw.integers(0, levels))) for r in range(rows) for i in range(items)]
    draw.shuffle(entries)
    best = Best(row_hashes, k)
    for piece in np.array_split(np.arange(len(entries)), pieces):
        some = np.array([entries[at] for at in piece], dtype=float).reshape(-1, 3)
        row, item, score = some[:, 0].astype(int), some[:, 1].astype(int), some[:, 2]
        best.offer(row, item, score, item_hashes[item])
    row, item, score = best.take()
    assert list(zip(row, item, score, strict=True)) == sorted_out(entries, row_hashes, item_hashes, k)


def test_memory_stays_bounded_however_much_is_offered():
    best = Best(np.array([5]), k=10)
    for start in range(0, 100_000, 100):
        items = np.arange(start, start + 100)
        best.offer(np.zeros(100, int), items, np.zeros(100), items)
        assert sum(len(part[0]) for part in best._kept) <= 30 + 100
    assert len(best.take()[0]) == 10


def test_nothing_offered_gives_nothing():
    assert [len(part) for part in Best(np.array([1, 2]), 3).take()] == [0, 0, 0]


@pytest.mark.parametrize("k", [1, 3])
def test_the_floor_rises_to_the_kth_score(k):
    best = Best(np.array([9]), k)
    scores = np.arange(100.0)
    best.offer(np.zeros(100, int), np.arange(100), scores, np.arange(100))
    assert best.floor[0] == 100 - k
