"""ALS against an own numpy solver of the same objective."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyspark.errors import PySparkException

from shoprec.models.als import blocks, dealing, rounds
from shoprec.models.als.config import AlsConfig
from shoprec.models.als.model import fit
from shoprec.training.storage import Folder

USERS, ITEMS, SEED = 25, 18, 3
CONFIG = AlsConfig(rank=4, iterations=8, regularisation=0.1, alpha=5.0, solver="cholesky")


def config(**others):
    return AlsConfig(**CONFIG.model_dump() | others)


SHORT = config(iterations=2)


def observed():
    """Two tastes with noise; the weight says how often."""
    draw = np.random.default_rng(2)
    own = (np.arange(USERS)[:, None] % 2) == (np.arange(ITEMS)[None, :] % 2)
    return draw.integers(1, 4, (USERS, ITEMS)) * (draw.random((USERS, ITEMS)) < np.where(own, 0.7, 0.08))


def ridges(weights, config):
    """Lambda of each row: by what it holds, and where asked by what it does not, at 1 / alpha each."""
    unobserved = weights.shape[1] / config.alpha if config.regularise_unobserved else 0
    return config.regularisation * ((weights > 0).sum(axis=1) + unobserved) ** config.regularisation_exponent


def objective(users, items, weights, config=CONFIG):
    """Hu, Koren, Volinsky 2008, eq. 3, with a lambda of each row's own."""
    loss = ((1 + config.alpha * weights) * ((weights > 0) - users @ items.T) ** 2).sum()
    return loss + ridges(weights, config) @ (users**2).sum(axis=1) + ridges(weights.T, config) @ (items**2).sum(axis=1)


def solve(fixed, weights, config=CONFIG):
    """The exact minimum over one side, row by row."""
    solved = np.zeros((len(weights), fixed.shape[1]))
    for row, (own, ridge) in enumerate(zip(weights, ridges(weights, config), strict=True)):
        confidence = np.diag(1 + config.alpha * own)
        left = fixed.T @ confidence @ fixed + ridge * np.eye(fixed.shape[1])
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


@dataclass
class Fitting:
    """Fits the tables, in a new folder each time."""

    tables: tuple
    folder: Folder
    times: int = 0

    def __call__(self, config=CONFIG, samples=None, seed=SEED, start=None):
        self.times += 1
        own, users, items = self.tables
        return fit(samples or own, users, items, config, self.latest, seed, start)

    @property
    def latest(self):
        return self.folder.below(str(self.times))

    def factors(self, *args, **kwargs):
        """(users, items) as matrices."""
        return tuple(map(matrix, self(*args, **kwargs), ("user", "item"), (USERS, ITEMS)))


def matrix(rows, kind, count):
    found = {row[f"{kind}_id"]: row["vector"] for row in rows.collect()}
    assert set(found) == {f"{kind[0]}{n}" for n in range(count)}
    return np.array([found[f"{kind[0]}{n}"] for n in range(count)])


@pytest.fixture(scope="module")
def fitting(tables, tmp_path_factory):
    return Fitting(tables, Folder(str(tmp_path_factory.mktemp("als"))))


@pytest.fixture(scope="module")
def fitted(fitting):
    return fitting.factors(SHORT)


def course(config, weights):
    """The objective after each round of the numpy solver, from a start of its own."""
    draw = np.random.default_rng(0)
    users, values = draw.normal(0, 0.1, (USERS, config.rank)), []
    for _ in range(config.iterations):
        items = solve(users, weights.T, config)
        users = solve(items, weights, config)
        values.append(objective(users, items, weights, config))
    return values


@pytest.mark.parametrize(
    "others",
    [
        {},
        {"regularisation_exponent": 0.0, "regularisation": 1.0, "iterations": 4},
        {"solver": "conjugate_gradient"},
        {"solver": "spark_ml"},
    ],
    ids=["by_count", "the_same_for_all", "conjugate_gradient", "spark_ml"],
)
def test_the_objective_is_as_low_as_an_own_solver_brings_it(fitting, others):
    asked, weights = config(**others), observed()
    values = course(asked, weights)
    assert values == sorted(values, reverse=True)
    found = objective(*fitting.factors(asked), weights, asked)
    # Two starts may end in two valleys: ours must not be the higher one.
    assert found <= 1.03 * values[-1]
    assert found < values[0]


# Vectors of 30 numbers are wider than there are users or items.
@pytest.mark.parametrize("others", [{}, {"regularise_unobserved": True, "regularisation_exponent": 0.5}, {"rank": 30}])
def test_the_users_are_at_the_exact_minimum_for_their_items(fitting, others):
    # A round ends with the users: given the items no other users do better.
    asked = config(iterations=1, **others)
    users, items = fitting.factors(asked)
    # Sums of single precision, the longer the wider.
    assert users == pytest.approx(solve(items, observed(), asked), abs=2.5e-6 * asked.rank)


def test_one_seed_gives_one_result_whatever_the_order_of_rows(fitting, fitted):
    users, items = fitting.factors(SHORT, samples=fitting.tables[0].repartition(3).orderBy("weight", "item_idx"))
    assert (users == fitted[0]).all()
    assert (items == fitted[1]).all()
    other, _ = fitting.factors(SHORT, seed=SEED + 1)
    assert np.abs(other - fitted[0]).max() > 1e-3


def test_so_it_does_over_many_blocks_and_pieces(fitting, monkeypatch):
    deal(monkeypatch, 100, most_to_all=0, most_entries=6)
    asked = config(solver="conjugate_gradient", iterations=1)
    once = fitting.factors(asked)
    again = fitting.factors(asked, samples=fitting.tables[0].repartition(3).orderBy("weight", "item_idx"))
    for one, other in zip(once, again, strict=True):
        assert (one == other).all()


def test_many_steps_of_conjugate_gradient_end_where_cholesky_does(fitting, fitted):
    users, items = fitting.factors(config(solver="conjugate_gradient", steps=20, iterations=SHORT.iterations))
    assert users == pytest.approx(fitted[0], abs=1e-3)
    assert items == pytest.approx(fitted[1], abs=1e-3)


@pytest.mark.parametrize(
    ("solver", "most_to_all", "most_entries"),
    [("cholesky", 0, 4), ("conjugate_gradient", 1 << 20, 1 << 20)],
    ids=["by_name_in_pieces", "to_all_from_few_files"],
)
def test_however_the_work_is_dealt_the_result_is_the_same(fitting, monkeypatch, solver, most_to_all, most_entries):
    # As many steps as there are numbers: rows in pieces are solved exactly.
    asked = config(solver=solver, steps=8, iterations=1)
    expected = fitting.factors(asked)
    deal(monkeypatch, 60, most_to_all, most_entries)
    # Two files of each side, in place of one a block.
    monkeypatch.setattr(rounds, "MOST_IN_FILE", 4 * CONFIG.rank * 13)
    users, items = fitting.factors(asked)
    assert users == pytest.approx(expected[0], abs=1e-3)
    assert items == pytest.approx(expected[1], abs=1e-3)
    laid = {path.stem for path in Path(fitting.latest.uri).rglob("together_*")}
    assert laid == (set() if most_to_all == 0 else {"together_0", "together_1"})


@pytest.mark.parametrize("most_to_all", [0, 1 << 20], ids=["by_name", "to_all"])
def test_a_block_may_hold_pieces_alone(fitting, monkeypatch, most_to_all):
    samples, asked = fitting.tables[0].where("item_idx < 3"), config(solver="conjugate_gradient", steps=8, iterations=1)
    expected = [sorted(map(tuple, side.collect())) for side in fitting(asked, samples=samples)]
    # Four blocks for three items.
    deal(monkeypatch, 8, most_to_all, 4)
    for side, other in zip(fitting(asked, samples=samples), expected, strict=True):
        rows = sorted(map(tuple, side.collect()))
        assert [name for name, _ in rows] == [name for name, _ in other]
        assert np.array([row for _, row in rows]) == pytest.approx(np.array([row for _, row in other]), abs=1e-3)


def deal(monkeypatch, most_in_block, most_to_all, most_entries):
    """Small blocks, vectors sent in this way, rows cut at this length."""
    monkeypatch.setattr(rounds, "MOST_IN_BLOCK", most_in_block)
    monkeypatch.setattr(rounds, "MOST_AN_ENTRY", 1 << 20)
    monkeypatch.setattr(rounds, "MOST_TO_ALL", most_to_all)
    monkeypatch.setattr(blocks, "MOST_ENTRIES", most_entries)


def test_a_fit_goes_on_from_an_earlier_one(fitting):
    weights, once = observed(), config(iterations=1)
    earlier = fitting(config(iterations=2))
    two = objective(*map(matrix, earlier, ("user", "item"), (USERS, ITEMS)), weights)
    cold = objective(*fitting.factors(once), weights)
    assert objective(*fitting.factors(once, start=earlier), weights) < two < cold
    # Who is new starts at random, and does not take the others back to their beginning.
    known = earlier[0].where("user_id <> 'u7'"), earlier[1].where("item_id <> 'i3'")
    assert objective(*fitting.factors(once, start=known), weights) < cold


def test_both_sides_go_on_from_where_they_stood(fitting, monkeypatch):
    deal(monkeypatch, 100, most_to_all=0, most_entries=1 << 20)
    weights, spark = observed(), fitting.tables[0].sparkSession
    draw = np.random.default_rng(5)
    # One user is known who has no samples: no vector comes back.
    users, items = draw.normal(0, 0.3, (USERS + 1, CONFIG.rank)), draw.normal(0, 0.3, (ITEMS, CONFIG.rank))
    start = [
        spark.createDataFrame(
            [(f"{kind[0]}{n}", row) for n, row in enumerate(rows.tolist())], f"{kind}_id string, vector array<float>"
        )
        for kind, rows in (("user", users), ("item", items))
    ]
    asked = config(solver="conjugate_gradient", steps=1, iterations=1)
    found = fitting.factors(asked, start=start)
    items = one_step(items, users[:USERS], weights.T)
    assert found[1] == pytest.approx(items, abs=1e-4)
    assert found[0] == pytest.approx(one_step(users[:USERS], items, weights), abs=1e-4)


def one_step(start, fixed, weights):
    """One step of conjugate gradient from ``start``, row by row."""
    moved = np.array(start)
    for row, (own, ridge) in enumerate(zip(weights, ridges(weights, CONFIG), strict=True)):
        confidence = np.diag(1 + CONFIG.alpha * own)
        left = fixed.T @ confidence @ fixed + ridge * np.eye(fixed.shape[1])
        rest = fixed.T @ confidence @ (own > 0) - left @ start[row]
        moved[row] += rest @ rest / (rest @ left @ rest) * rest
    return moved


def test_an_earlier_fit_of_another_width_is_refused(fitting):
    start = fitting(config(iterations=1))
    with pytest.raises(PySparkException, match=r"4 wide, als\.rank is 5"):
        fitting(config(rank=5), start=start)


def test_numbers_below_0_are_refused(fitting):
    samples = fitting.tables[0].selectExpr("user_idx", "IF(user_idx = 3, -2, item_idx) AS item_idx", "weight")
    with pytest.raises(PySparkException, match="begin at 0, one is -2"):
        fitting(samples=samples)


@pytest.mark.parametrize("weight", ["double('nan')", "double('infinity')", "0", "-1"])
def test_weights_that_are_none_are_refused(fitting, weight):
    samples = fitting.tables[0].selectExpr("user_idx", "item_idx", f"IF(user_idx = 3, {weight}, weight) AS weight")
    with pytest.raises(PySparkException, match="weights are not finite numbers above 0"):
        fitting(samples=samples)


def test_equations_without_a_single_solution_are_refused(fitting):
    with pytest.raises(PySparkException, match=r"raise als\.regularisation"):
        fitting(config(rank=30, regularisation=0.0))


def test_weights_beyond_single_precision_are_refused(fitting):
    samples = fitting.tables[0].selectExpr("user_idx", "item_idx", "float(1e37) AS weight")
    with pytest.raises(PySparkException, match=r"als\.alpha times 2e\+37, a weight, is beyond single precision"):
        fitting(config(alpha=100.0), samples=samples)


def test_vectors_beyond_single_precision_are_refused(fitting):
    # Single precision holds them, and not the Gram matrix that they make.
    start = [
        rows.selectExpr(f"{kind}_id", "array_repeat(1e25f, 4) AS vector")
        for kind, rows in zip(("user", "item"), fitting.tables[1:], strict=True)
    ]
    with pytest.raises(ValueError, match="vectors beyond single precision"):
        fitting(config(solver="conjugate_gradient", iterations=1), start=start)


@pytest.mark.parametrize(
    ("entries", "parallel", "expected"),
    [(0, 8, 1), (1, 8, 1), (300_000, 8, 3), (10_000_000, 2, 4), (10_000_000, 8, 8), (8 * 2_796_202 + 1, 8, 16)],
)
def test_blocks_keep_all_cores_busy_and_small(entries, parallel, expected):
    assert dealing.blocks_for(entries, 2_796_202, parallel) == expected


def test_rows_of_another_block_are_refused():
    batches = [pa.record_batch({"into": pa.array(into, pa.int32())}) for into in ([2, 2], [2, 3])]
    passed = dealing.of_one_block(2, "into", batches)
    assert next(passed) is batches[0]
    with pytest.raises(RuntimeError, match=r"\[2 3\] came to the task of block 2"):
        next(passed)


def test_a_number_beyond_int32_is_refused(fitting):
    samples = fitting.tables[0].selectExpr("user_idx + 3000000000 AS user_idx", "item_idx", "weight")
    with pytest.raises(PySparkException, match="overflow"):
        fitting(samples=samples)


def test_no_samples_no_vectors(fitting):
    users, items = fitting(samples=fitting.tables[0].limit(0))
    assert users.count() == items.count() == 0


def test_spark_ml_knows_no_other_regularisation():
    with pytest.raises(ValueError, match="regularisation_exponent: 1"):
        config(solver="spark_ml", regularisation_exponent=0.5)
