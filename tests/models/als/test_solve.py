"""A half round's tasks by hand: however often one is done, the files say the same."""

import numpy as np
import pytest

from shoprec.models.als.blocks import Entries, Files, Vectors, together
from shoprec.models.als.config import AlsConfig
from shoprec.models.als.solve import Half, joint_name

CONFIG = AlsConfig(rank=2, alpha=1.0, regularisation=1.0, solver="cholesky")
OTHERS = Vectors(np.array([0, 1], np.int32), np.eye(2, dtype=np.float32))


def entries(rows, places):
    count = len(places)
    ends = np.arange(1, count + 1) if count == len(rows) else np.array([count] * len(rows))
    named = np.array([0, 1], np.int32)
    return Entries(
        np.array(rows, np.int32), ends.astype(np.int64), named, np.array(places, np.int32), np.ones(count, np.float32)
    )


@pytest.fixture
def half(tmp_path):
    files = Files(str(tmp_path))
    # Block 0 holds row 0 (with item 0) and a piece of row 2 (with item 0), block 1 the other piece (with item 1).
    files.write_entries(0, entries([0], [0]), entries([2], [0]))
    files.write_entries(1, entries([], []), entries([2], [1]))
    return Half(CONFIG, files, blocks=2, number=1, before=0, gram=np.eye(2), others=2)


def vectors(half):
    return half.files.vectors(1, ["0", joint_name(0)], 2)


def test_rows_and_pieces_come_to_what_one_computes_by_hand(half):
    gram, shares = half.solve(0, OTHERS)
    none, more = half.solve(1, OTHERS)
    assert none is None
    joint = half.join(0, [*shares, *more])
    # Row 0: (1 + 1 + 1) x = 2 in the first direction. Row 2, of two entries: (1 + 1 + 2) x = 2 in both.
    assert vectors(half).rows.tolist() == [0, 2]
    assert vectors(half).values == pytest.approx(np.array([[2 / 3, 0], [1 / 2, 1 / 2]]))
    assert gram == pytest.approx(np.array([[4 / 9, 0], [0, 0]]))
    assert joint == pytest.approx(np.full((2, 2), 1 / 4))


def test_a_task_that_is_done_again_takes_nothing_away(half):
    _, shares = half.solve(0, OTHERS)
    _, more = half.solve(1, OTHERS)
    half.join(0, [*shares, *more])
    before = vectors(half)
    half.solve(0, OTHERS)
    half.join(0, [*shares, *more])
    half.solve(1, OTHERS)
    assert vectors(half).rows.tolist() == before.rows.tolist()
    assert (vectors(half).values == before.values).all()


def test_what_another_task_should_have_written_is_missed_by_name(half):
    with pytest.raises(FileNotFoundError, match=r"1/7\.safetensors is not there.*--set files="):
        half.files.vectors(1, ["7"], 2)


def test_parts_in_any_order_become_one():
    parts = [Vectors(np.array(rows, np.int32), np.array(rows, np.float32)[:, None]) for rows in ([5, 9], [], [2, 7])]
    whole = together(parts, 1)
    assert whole.rows.tolist() == [2, 5, 7, 9]
    assert whole.values[:, 0].tolist() == [2, 5, 7, 9]
    assert whole.of(np.array([9, 3, 2], np.int32))[:, 0].tolist() == [9, 0, 2]
