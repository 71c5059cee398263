"""Shares against the population: invariants, and values worked out by hand."""

from math import exp, log

import pytest

from shoprec.features.shares import divergence, strongest

PRIOR = 4.0

#: owner -> name -> weight; the population's shares are x 8/16, y 6/16, z 2/16.
WEIGHTS = {"a": {"x": 4.0, "y": 3.0, "z": 1.0}, "b": {"x": 4.0}, "c": {"y": 3.0, "z": 1.0}}

P = {"x": 8 / 16, "y": 6 / 16, "z": 2 / 16}


@pytest.fixture(scope="module")
def owners(spark):
    rows = [(o, n, w) for o, names in WEIGHTS.items() for n, w in names.items()]
    frame = divergence(spark.createDataFrame(rows, "owner string, name string, weight double"), "owner", PRIOR)
    return {r["owner"]: r for r in frame.withColumn("top", strongest(frame["cells"], 1)).collect()}


def lift(owner, name):
    own = sum(WEIGHTS[owner].values())
    return (WEIGHTS[owner].get(name, 0) + PRIOR * P[name]) / (own + PRIOR) / P[name]


def test_an_owner_like_the_population_has_no_affinities(owners):
    assert [c["affinity"] for c in owners["a"]["cells"]] == pytest.approx([0, 0, 0])
    assert owners["a"]["distance"] == pytest.approx(0)


def test_affinity_is_the_log_of_the_shrunk_share_over_the_populations(owners):
    assert {c["name"]: c["affinity"] for c in owners["c"]["cells"]} == pytest.approx(
        {"y": log((3 + 4 * 6 / 16) / 8 / (6 / 16)), "z": log((1 + 4 * 2 / 16) / 8 / (2 / 16))}
    )
    assert owners["b"]["rest"] == pytest.approx(log(4 / 8))


def test_over_the_population_lifts_have_mean_one(owners):
    for name in P:
        total = 0.0
        for owner, row in owners.items():
            known = {c["name"]: c["affinity"] for c in row["cells"]}
            total += (sum(WEIGHTS[owner].values()) + PRIOR) * exp(known.get(name, row["rest"]))
        assert total == pytest.approx(sum(sum(w.values()) + PRIOR for w in WEIGHTS.values()))


def test_distance_is_the_divergence_over_all_names(owners):
    for owner, row in owners.items():
        expected = sum(lift(owner, n) * p * log(lift(owner, n)) for n, p in P.items())
        assert row["distance"] == pytest.approx(expected)


def test_breadth_is_the_effective_number_of_names(owners):
    assert owners["b"]["breadth"] == pytest.approx(1)
    assert owners["c"]["breadth"] == pytest.approx(exp(-(0.75 * log(0.75) + 0.25 * log(0.25))))


def test_the_strongest_names_come_first_ties_by_name(spark, owners):
    # y and z of c have the same lift, y the larger share.
    assert [t["name"] for t in owners["c"]["top"]] == ["y"]
    tie = spark.createDataFrame([("o", n, 1.0) for n in "dcab"], "owner string, name string, weight double")
    cells = divergence(tie, "owner", PRIOR)
    assert [t["name"] for t in cells.select(strongest(cells["cells"], 3).alias("t")).first()["t"]] == ["a", "b", "c"]
