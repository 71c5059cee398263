"""Rows of ranks and batches: laws that hold for any sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoprec.training.lanes import Lanes, bounds


def epoch(rows, lanes, batch, size, seed=3, number=0):
    """The global batches of an epoch as rows of all samples, -1 for padding, put together from every rank."""
    ranks = [Lanes(rows, lanes, batch, rank, size) for rank in range(size)]
    per_rank = [[np.where(b < 0, -1, b + rank.first) for b in rank.batches(seed, number)] for rank in ranks]
    assert len({rank.steps for rank in ranks}) == 1
    assert {len(batches) for batches in per_rank} == {ranks[0].steps}
    return [np.concatenate(pieces) for pieces in zip(*per_rank, strict=True)]


@given(
    rows=st.integers(0, 400),
    lanes=st.sampled_from([4, 8, 12]),
    chunk=st.integers(1, 9),
    size=st.sampled_from([1, 2, 4]),
)
def test_every_row_comes_once_and_batches_do_not_depend_on_the_number_of_ranks(rows, lanes, chunk, size):
    batches = epoch(rows, lanes, lanes * chunk, size)
    taken = np.concatenate(batches)
    assert sorted(taken[taken >= 0].tolist()) == list(range(rows))
    assert all(len(batch) == lanes * chunk for batch in batches)
    alone = epoch(rows, lanes, lanes * chunk, 1)
    assert [b.tolist() for b in batches] == [b.tolist() for b in alone]


@given(rows=st.integers(0, 1000), size=st.sampled_from([1, 2, 4, 8]))
def test_a_rank_has_the_range_of_rows_that_the_design_gives_it(rows, size):
    for rank in range(size):
        lanes = Lanes(rows, 8, 16, rank, size)
        assert (lanes.first, lanes.last) == (rank * rows // size, (rank + 1) * rows // size)
        own = np.concatenate(list(lanes.batches(0, 0)))
        assert sorted(own[own >= 0].tolist()) == list(range(lanes.last - lanes.first))


def test_short_last_batches_are_padded():
    batches = [batch.tolist() for batch in Lanes(5, 2, 4).batches(1, 0)]
    # Lanes of 2 and 3 rows, 2 rows of each a step: the second step has 0 and 1 rows.
    assert len(batches) == 2
    assert -1 not in batches[0]
    assert batches[1].count(-1) == 3


def test_epochs_and_seeds_have_orders_of_their_own():
    lanes = Lanes(1000, 2, 100)
    orders = {tuple(np.concatenate(list(lanes.batches(seed, number)))) for seed in (1, 2) for number in (0, 1)}
    assert len(orders) == 4
    again = tuple(np.concatenate(list(lanes.batches(1, 0))))
    assert again in orders


def test_bounds_cut_without_gap_or_overlap():
    cuts = [bounds(10, part, 4) for part in range(4)]
    assert cuts == [(0, 2), (2, 5), (5, 7), (7, 10)]


def test_lanes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        Lanes(10, 4, 8, rank=0, size=3)
    with pytest.raises(ValueError, match="do not fit"):
        Lanes(10, 4, 6)
