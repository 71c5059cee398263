"""The compiled kernels against numpy, row by row."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from shoprec.models.als import kernels

WIDTH, OTHERS = 7, 60


def drawn(lengths, seed=0, width=WIDTH):
    """Rows of so many entries: where they end, their places, c - 1, the vectors, their Gram matrix, ridges."""
    draw = np.random.default_rng(seed)
    places = np.concatenate(
        [
            draw.permutation(OTHERS)[:length] if length <= OTHERS else draw.integers(0, OTHERS, length)
            for length in lengths
        ]
    ).astype(np.int32)
    vectors = draw.normal(0, 0.3, (OTHERS, width)).astype(np.float32)
    excess = draw.uniform(0.5, 9, len(places)).astype(np.float32)
    ridges = (0.1 * np.maximum(lengths, 1)).astype(np.float32)
    return np.cumsum(lengths), places, excess, vectors, vectors.T @ vectors, ridges


def expected(ends, places, excess, vectors, gram, ridges):
    solved, first = [], 0
    for end, ridge in zip(ends, ridges, strict=True):
        own, more = vectors[places[first:end]].astype(float), excess[first:end].astype(float)
        left = gram + own.T @ (more[:, None] * own) + ridge * np.eye(WIDTH)
        solved.append(np.linalg.solve(left, own.T @ (1 + more)))
        first = end
    return np.array(solved)


#: Below, at and above what is gathered at a time, twice of it, and nothing; and more rows than go together.
LENGTHS = [1, 5, 60, 0, kernels.GATHERED, kernels.GATHERED + 1, 2 * kernels.GATHERED + 3, *[4] * (kernels.TOGETHER + 1)]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_exact(kind):
    ends, places, *numbers = drawn(LENGTHS)
    solved = np.full((len(LENGTHS), WIDTH), 9, kind)
    kernels.exact(ends, places, *(given.astype(kind) for given in numbers), solved)
    assert solved == pytest.approx(expected(ends, places, *numbers), abs=2e-5)


def test_as_many_steps_as_there_are_numbers_solve_it():
    given = drawn(LENGTHS)
    solved = np.full((len(LENGTHS), WIDTH), 0.5, np.float32)
    kernels.conjugate(*given, 2 * WIDTH, solved)
    assert solved == pytest.approx(expected(*given), abs=1e-4)


def test_each_step_comes_nearer_and_the_minimum_stays():
    given = drawn(LENGTHS)
    minimum, far = expected(*given), []
    for steps in (0, 1, 2, 3):
        solved = np.zeros((len(LENGTHS), WIDTH), np.float32)
        kernels.conjugate(*given, steps, solved)
        far.append(np.abs(solved - minimum).sum())
    assert far == sorted(far, reverse=True)
    assert far[3] < far[0] / 10
    stays = minimum.astype(np.float32)
    kernels.conjugate(*given, 3, stays)
    assert stays == pytest.approx(minimum, abs=1e-4)


def test_many_steps_without_regularisation_stay_sound():
    ends, places, excess, vectors, _, _ = drawn([3, 4])
    none, solved = np.zeros((WIDTH, WIDTH), np.float32), np.zeros((2, WIDTH), np.float32)
    kernels.conjugate(ends, places, excess, vectors, none, np.zeros(2, np.float32), 100, solved)
    # Fewer entries than numbers: each entry can be met, at (1 + more) / more.
    assert vectors[places[:3]] @ solved[0] == pytest.approx((1 + excess[:3]) / excess[:3], rel=1e-2)
    assert np.abs(solved).max() < 1e3


def test_sums_are_both_sides_of_the_equations():
    ends, places, excess, vectors, _, _ = drawn(LENGTHS)
    left, right = np.ones((len(LENGTHS), WIDTH, WIDTH)), np.ones((len(LENGTHS), WIDTH))
    kernels.sums(ends, places, excess, vectors, left, right)
    own, more = vectors[places[ends[3] :]], excess[ends[3] :]
    own, more = own[: kernels.GATHERED], more[: kernels.GATHERED]
    assert left[4] == pytest.approx(1 + own.T @ (more[:, None] * own), rel=1e-4)
    assert right[4] == pytest.approx(1 + own.T @ (1 + more), rel=1e-4, abs=1e-3)
    assert (left[3] == 1).all()
    assert (right[3] == 1).all()


def test_what_single_precision_cannot_solve_is_told_and_double_can():
    ends, places, excess, vectors, _, _ridges = drawn([3, 4])
    # Two directions alike to the seventh digit: in single precision they are one.
    wide = vectors.astype(float)
    wide[:, 1] = wide[:, 0] * (1 + 1e-7) + 1e-6 * np.arange(OTHERS)
    gram, none = wide.T @ wide * 1e4, np.zeros(2)
    narrow = [numbers.astype(np.float32) for numbers in (excess, wide, gram, none)]
    with pytest.raises(np.linalg.LinAlgError):
        kernels.exact(ends, places, *narrow, np.zeros((2, WIDTH), np.float32))
    solved = np.zeros((2, WIDTH))
    kernels.exact(ends, places, excess.astype(float), wide, gram, none, solved)
    assert solved == pytest.approx(expected(ends, places, excess.astype(float), wide, gram, none), rel=1e-3)


PROGRAM = """
import numpy as np
from shoprec.models.als import kernels

ends, places, ones = np.array([2]), np.arange(2, dtype=np.int32), np.ones(2, np.float32)
left, right = np.zeros((1, 2, 2)), np.zeros((1, 2))
kernels.sums(ends, places, ones, np.eye(2, dtype=np.float32), left, right)
print(kernels.__file__, left.tolist(), right.tolist())
"""


@pytest.mark.parametrize("name", ["shoprec.whl", "shoprec.zip"])
def test_they_compile_in_a_wheel_on_the_path_and_leave_nothing_behind(tmp_path, name):
    wheel, package = tmp_path / name, Path(kernels.__file__).parents[2]
    with zipfile.ZipFile(wheel, "w") as made:
        own = "__init__.py", "models/__init__.py", "models/als/__init__.py", "models/als/kernels.py"
        for module in (*own, "compiled.py"):
            made.write(package / module, f"shoprec/{module}")
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(wheel), "HOME": str(home)}
    environment.pop("XDG_CACHE_HOME", None)
    assert told(PROGRAM, environment).split(maxsplit=1) == [
        f"{wheel}/shoprec/models/als/kernels.py",
        "[[[1.0, 0.0], [0.0, 1.0]]] [[2.0, 2.0]]\n",
    ]
    assert list(home.rglob("*")) == [], "nothing may be left in the home folder"


STEPS = """
import hashlib
import numpy as np
from shoprec.models.als import kernels
from tests.models.als.test_kernels import LENGTHS, drawn

# So wide that sums are taken many numbers at a time, in an order that depends on the machine code.
rows, width = len(LENGTHS), 32
given = drawn(LENGTHS, width=width)
near, exact = np.full((rows, width), 0.1, np.float32), np.zeros((rows, width), np.float32)
left, right = np.zeros((rows, width, width)), np.zeros((rows, width))
kernels.conjugate(*given, 3, near)
kernels.exact(*given, exact)
kernels.sums(*given[:4], left, right)
hits = [sum(kernel.stats.cache_hits.values()) for kernel in (kernels.conjugate, kernels.exact, kernels.sums)]
print(sum(hits), *(hashlib.sha256(made.tobytes()).hexdigest() for made in (near, exact, left, right)))
"""


def test_the_process_that_compiles_computes_the_bits_of_those_that_load(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    compiled, loaded = (told(STEPS, environment).split() for _ in range(2))
    assert (compiled[0], loaded[0]) == ("0", "3")
    assert compiled[1:] == loaded[1:]


def told(program, environment):
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
