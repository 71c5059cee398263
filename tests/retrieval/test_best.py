"""Running best-of lists against sorting everything."""

from types import SimpleNamespace

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoprec.retrieval import kernels
from shoprec.retrieval.best import Best
from shoprec.retrieval.ties import tie_hashes


def drawn(rows, items, seed):
    """A generator, and from it the hashes of rows and of items."""
    draw = np.random.default_rng(seed)
    return draw, draw.integers(-(2**62), 2**62, rows), draw.integers(-(2**62), 2**62, items)


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
    draw, row_hashes, item_hashes = drawn(rows, items, seed)
    entries = [(r, i, float(draw.integers(0, levels))) for r in range(rows) for i in range(items)]
    draw.shuffle(entries)
    best = Best(row_hashes, k)
    for piece in np.array_split(np.arange(len(entries)), pieces):
        some = np.array([entries[at] for at in piece], dtype=float).reshape(-1, 3)
        row, item, score = some[:, 0].astype(int), some[:, 1].astype(int), some[:, 2]
        best.offer(row, item, score, item_hashes[item])
    row, item, score = best.take()
    assert list(zip(row, item, score, strict=True)) == sorted_out(entries, row_hashes, item_hashes, k)


def test_nothing_offered_gives_nothing():
    assert [len(part) for part in Best(np.array([1, 2]), 3).take()] == [0, 0, 0]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 300), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(0, 99)
)
def test_tiles_and_entries_give_the_same(rows, items, k, levels, tiles, seed):
    draw, row_hashes, item_hashes = drawn(rows, items, seed)
    scores = draw.integers(0, levels, (rows, items)).astype(np.float32)
    scores[draw.random(scores.shape) < 0.2] = -np.inf
    by_tile, by_entry, order = Best(row_hashes, k), Best(row_hashes, k), draw.permutation(items)
    for some in np.array_split(order, tiles):
        by_tile.offer_tile(scores[:, some].copy(), some, item_hashes[some])
    row, item = np.nonzero(np.isfinite(scores))
    by_entry.offer(row, item, scores[row, item], item_hashes[item])
    for one, other in zip(by_tile.take(), by_entry.take(), strict=True):
        assert one.tolist() == other.tolist()


@pytest.mark.parametrize("of", ["entries", "tile"])
def test_what_is_no_number_is_no_entry_and_keeps_nothing_out(of):
    scores, numbers = np.array([np.nan, 1, np.nan, 3, -np.inf, 2, np.nan]), np.arange(7)
    best = Best(np.array([7]), 2)
    if of == "tile":
        best.offer_tile(scores.astype(np.float32)[None], numbers, numbers)
    else:
        best.offer(np.zeros(7, int), numbers, scores, numbers)
    for _ in range(2):
        assert [part.tolist() for part in best.take()] == [[0, 0], [3, 5], [3, 2]]


def test_rows_have_room_for_what_they_are_offered_and_no_more():
    best = Best(np.arange(4), 2, offered=np.array([0, 1, 5, 2]))
    row, score = np.array([2, 1, 2, 3, 2, 2, 2]), np.arange(7.0)
    best.offer(row, np.arange(7), score, np.arange(7))
    assert [part.tolist() for part in best.take()] == [[1, 2, 2, 3], [1, 6, 5, 3], [1, 6, 5, 3]]
    best.offer_tile(np.full((4, 1), 9, np.float32), np.array([8]), np.array([8]))
    assert best.take()[1].tolist() == [8, 8, 6, 8, 3]


@pytest.mark.parametrize("row", [-1, 2])
def test_a_row_that_is_not_there_is_refused(row):
    with pytest.raises(ValueError, match=f"rows {row} to {row} of 2"):
        Best(np.arange(2), 3).offer(np.array([row]), np.array([0]), np.array([1.0]), np.array([0]))


def test_what_is_not_aligned_is_refused():
    one = np.zeros(1, int)
    with pytest.raises(ValueError, match="1 rows, 1 items, 1 scores, 0 hashes"):
        Best(np.arange(2), 3).offer(one, one, one, one[:0])
    with pytest.raises(ValueError, match=r"scores \(1, 1\) of 2 rows, 1 items, 1 hashes"):
        Best(np.arange(2), 3).offer_tile(np.zeros((1, 1), np.float32), one, one)


@pytest.mark.parametrize("score", [np.finfo(np.float32).min, np.finfo(np.float32).max])
def test_the_least_and_the_greatest_score_count(score):
    best = Best(np.array([7]), 2)
    best.offer_tile(np.array([[-np.inf, score, -np.inf]], np.float32), np.arange(3), np.arange(3))
    assert [part.tolist() for part in best.take()] == [[0], [1], [float(score)]]


def test_what_set_up_compiles_is_what_is_asked_for(monkeypatch):
    """Read-only numbers, as Arrow gives them, ask for nothing else."""
    numbers = np.arange(3)
    numbers.flags.writeable = False
    asked = {}
    for name in ("offer", "offer_tile", "sort"):
        called = lambda *given, name=name: asked.update({name: tuple(map(numba.typeof, given))})  # noqa: E731
        monkeypatch.setattr(kernels, name, called)
    best = Best(numbers, 2)
    best.offer(numbers, numbers, numbers.astype(np.float32), numbers)
    best.offer_tile(np.zeros((3, 3), np.float32), numbers, numbers)
    best.take()
    compiled = {}
    for name in asked:
        told = SimpleNamespace(compile=lambda types, name=name: compiled.update({name: types}))
        monkeypatch.setattr(kernels, name, told)
    kernels.compile_for_lists()
    assert asked == compiled
