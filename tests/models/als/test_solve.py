"""A half round's tasks by hand: however often one is done, the files say the same."""

from dataclasses import replace
from types import SimpleNamespace

import numba
import numpy as np
import pyarrow as pa
import pytest

from shoprec.models.als import kernels
from shoprec.models.als.blocks import Entries, Files, Vectors, gathered, packed
from shoprec.models.als.config import AlsConfig
from shoprec.models.als.solve import Half, joint_name

CONFIG = AlsConfig(rank=2, alpha=1.0, regularisation=1.0, solver="cholesky")
OTHERS = [Vectors(np.array([n], np.int32), np.eye(2, dtype=np.float32)[n : n + 1]) for n in (1, 0)]


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
    """Row -> vector, of block 0."""
    parts = half.files.vectors(1, ["0", joint_name(0)])
    return {row: tuple(vector) for part in parts for row, vector in zip(part.rows.tolist(), part.values, strict=True)}


def test_rows_and_pieces_come_to_what_one_computes_by_hand(half):
    gram, shares = half.solve(0, OTHERS)
    none, more = half.solve(1, OTHERS)
    assert none is None
    joint = half.join(0, [*shares, *more])
    # Row 0: (1 + 1 + 1) x = 2 in the first direction. Row 2, of two entries: (1 + 1 + 2) x = 2 in both.
    found = vectors(half)
    assert found.keys() == {0, 2}
    assert found[0] == pytest.approx((2 / 3, 0))
    assert found[2] == pytest.approx((1 / 2, 1 / 2))
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
    assert vectors(half) == before


def test_what_set_up_compiles_is_what_tasks_ask_for(half, monkeypatch):
    asked, compiled = {}, {}

    def asking(name, kernel):
        def called(*given):
            asked[name] = tuple(numba.typeof(one) for one in given)
            kernel(*given)

        return called

    for name in ("exact", "conjugate", "sums"):
        monkeypatch.setattr(kernels, name, asking(name, getattr(kernels, name)))
    _, shares = half.solve(0, OTHERS)
    half.join(0, shares)
    by_steps = CONFIG.model_copy(update={"solver": "conjugate_gradient"})
    replace(half, config=by_steps, number=2, before=1).solve(0, OTHERS)
    for name in asked:
        told = SimpleNamespace(compile=lambda types, name=name: compiled.update({name: types}))
        monkeypatch.setattr(kernels, name, told)
    kernels.compile_for_als()
    assert asked == compiled


def test_what_another_task_should_have_written_is_missed_by_name(half):
    with pytest.raises(FileNotFoundError, match=r"1/7\.safetensors is not there.*--set files="):
        list(half.files.vectors(1, ["7"]))


def test_what_is_wanted_is_gathered_from_parts_in_any_order():
    parts = [Vectors(np.array(rows, np.int32), np.array(rows, np.float32)[:, None]) for rows in ([5, 9], [], [2, 7])]
    wanted = [np.array(rows, np.int32) for rows in ([2, 3, 9], [], [1, 2, 4, 5, 7, 8, 9, 10])]
    found = gathered(parts, 1, *wanted)
    assert [values[:, 0].tolist() for values in found] == [[2, 0, 9], [], [0, 2, 0, 5, 7, 0, 9, 0]]


def test_samples_of_one_pair_add_up_whatever_their_order():
    rows = [(True, 7, 1, 2.0), (False, 3, 9, 1.0), (False, 3, 4, 0.5), (False, 3, 9, 1e8), (False, 1, 4, 3.0)]
    found = []
    for order in (rows, rows[::-1]):
        columns = dict(zip(("piece", "row", "column", "weight"), zip(*order, strict=True), strict=True))
        found.append(packed(pa.table(columns)))
    whole, pieces = found[0]
    assert whole.rows.tolist() == [1, 3]
    assert whole.ends.tolist() == [1, 3]
    assert whole.named[whole.places].tolist() == [4, 4, 9]
    assert whole.weights.tolist() == [3, 0.5, np.float32(1e8 + 1)]
    assert (pieces.rows.tolist(), pieces.named.tolist(), pieces.weights.tolist()) == ([7], [1], [2])
    for one, other in zip(*found, strict=True):
        assert all((values == getattr(other, name)).all() for name, values in vars(one).items())
