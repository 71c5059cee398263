"""Shares against the population: invariants, and values worked out by hand."""

from math import exp, log

import numpy as np
import pyarrow as pa
import pytest

from shoprec.features.shares import Shares, with_population

PRIOR = 4.0

#: owner -> name -> weight; the population's shares are x 8/16, y 6/16, z 2/16.
WEIGHTS = {"a": {"x": 4.0, "y": 3.0, "z": 1.0}, "b": {"x": 4.0}, "c": {"y": 3.0, "z": 1.0}}

P = {"x": 8 / 16, "y": 6 / 16, "z": 2 / 16}

OWNERS = list(WEIGHTS)


def shares_of(rows: list[tuple[int, str, float, float]], owners: int) -> Shares:
    owner, name, weight, p = zip(*rows, strict=True) if rows else ((), (), (), ())
    table = pa.table({
        "name": pa.array(name, pa.string()),
        "weight": pa.array(weight, pa.float64()),
        "p": pa.array(p, pa.float64()),
    })  # fmt: skip
    return Shares.of(np.array(owner, np.int64), owners, table, PRIOR)


@pytest.fixture(scope="module")
def shares() -> Shares:
    return shares_of([(i, n, w, P[n]) for i, o in enumerate(OWNERS) for n, w in WEIGHTS[o].items()], len(OWNERS))


def affinities(shares: Shares, owner: str) -> dict[str, float]:
    mine = shares.owner_C == OWNERS.index(owner)
    return dict(zip(shares.name_C.filter(pa.array(mine)).to_pylist(), shares.affinity_C[mine], strict=True))


def lift(owner, name):
    own = sum(WEIGHTS[owner].values())
    return (WEIGHTS[owner].get(name, 0) + PRIOR * P[name]) / (own + PRIOR) / P[name]


def test_an_owner_like_the_population_has_no_affinities(shares):
    assert list(affinities(shares, "a").values()) == pytest.approx([0, 0, 0])
    assert shares.distance_O[0] == pytest.approx(0)


def test_affinity_is_the_log_of_the_shrunk_share_over_the_populations(shares):
    assert affinities(shares, "c") == pytest.approx(
        {"y": log((3 + 4 * 6 / 16) / 8 / (6 / 16)), "z": log((1 + 4 * 2 / 16) / 8 / (2 / 16))}
    )
    assert shares.rest_O[1] == pytest.approx(log(4 / 8))


def test_of_one_name_untouched_ones_have_the_rest(shares):
    assert shares.affinity_of("x").tolist() == pytest.approx([0, log(lift("b", "x")), log(lift("c", "x"))])
    assert shares.affinity_of("x")[2] == shares.rest_O[2]


def test_over_the_population_lifts_have_mean_one(shares):
    for name in P:
        weight = np.array([sum(WEIGHTS[owner].values()) + PRIOR for owner in OWNERS])
        assert weight @ np.exp(shares.affinity_of(name)) == pytest.approx(weight.sum())


def test_distance_is_the_divergence_over_all_names(shares):
    expected = [sum(lift(owner, n) * p * log(lift(owner, n)) for n, p in P.items()) for owner in OWNERS]
    assert shares.distance_O.tolist() == pytest.approx(expected, abs=1e-12)


def test_breadth_is_the_effective_number_of_names(shares):
    assert shares.breadth_O[1] == pytest.approx(1)
    assert shares.breadth_O[2] == pytest.approx(exp(-(0.75 * log(0.75) + 0.25 * log(0.25))))


def test_the_share_is_of_the_owners_own_weight(shares):
    assert shares.share_C[shares.owner_C == 2].tolist() == [0.75, 0.25]


def test_the_strongest_names_come_first_ties_by_name(shares):
    # y and z of c have the same lift, y the larger share.
    assert [[t["name"] for t in told] for told in shares.strongest(1).to_pylist()][2] == ["y"]
    tied = shares_of([(0, n, 1.0, 0.25) for n in "dcab"], 1)
    assert [t["name"] for t in tied.strongest(3).to_pylist()[0]] == ["a", "b", "c"]


def test_an_owner_without_a_name_has_an_empty_list_between_others_that_have_some():
    told = shares_of([(2, "x", 3.0, 0.75), (0, "y", 1.0, 0.25)], 4).strongest(5).to_pylist()
    assert [[t["name"] for t in one] for one in told] == [["y"], [], ["x"], []]
    assert shares_of([], 2).strongest(5).to_pylist() == [[], []]


def test_the_population_is_that_of_each_kind_and_rows_without_a_name_are_not_of_it(spark):
    rows = [("a", 0, "x", 3.0), ("b", 0, "y", 1.0), ("a", 1, "x", 2.0), ("b", 1, None, 6.0)]
    weights = spark.createDataFrame(rows, "owner string, kind int, name string, weight double")
    told = {(r["owner"], r["kind"]): r["p"] for r in with_population(weights, "kind").collect()}
    assert told == {("a", 0): 0.75, ("b", 0): 0.25, ("a", 1): 1.0}
    everywhere = {r["name"]: r["p"] for r in with_population(weights.drop("kind")).collect()}
    assert everywhere == {"x": 5 / 6, "y": 1 / 6}
