"""item_knn against dense numpy."""

from collections import defaultdict

import numpy as np
import pytest

from shoprec.models.item_knn.config import BasketNeighbourSettings, ItemKnnConfig, ItemNeighboursConfig
from shoprec.models.item_knn.model import bought_together, propose, similar
from shoprec.retrieval.neighbours import NeighbourSettings
from tests.models.purchases import shop

USERS, ITEMS = 20, 12


@pytest.fixture(scope="module")
def lines():
    draw = np.random.default_rng(4)
    drawn = {(int(draw.integers(USERS)), int(draw.integers(ITEMS)), int(draw.integers(1, 40))) for _ in range(260)}
    return sorted(drawn)


@pytest.fixture(scope="module")
def inputs(spark, lines):
    rows = [(f"u{u}", i, "a", ago) for u, i, ago in lines]
    return shop(spark, rows, {f"u{u}": "a" for u in range(USERS)}, ITEMS)


def holdings(lines, holder):
    names = sorted({holder(line) for line in lines})
    held = np.zeros((len(names), ITEMS))
    for line in lines:
        held[names.index(holder(line)), line[1]] = 1
    return held


def table(result):
    lists = defaultdict(list)
    for row in result.orderBy("item_id", "rank").collect():
        lists[row["item_id"]].append((row["neighbour_id"], row["similarity"], row["support"], row["rank"]))
    return lists


def assert_neighbours(found, common, similarity, least):
    for item in range(ITEMS):
        near = {f"i{j}" for j in range(ITEMS) if j != item and common[item, j] >= least}
        rows = found.get(f"i{item}", [])
        assert {row[0] for row in rows} == near
        assert [row[3] for row in rows] == list(range(1, len(rows) + 1))
        values = [row[1] for row in rows]
        assert values == sorted(values, reverse=True)
        for neighbour, value, support, _ in rows:
            other = int(neighbour[1:])
            assert value == pytest.approx(similarity[item, other], rel=1e-12)
            assert support == common[item, other]


def test_similar_is_the_shrunk_cosine_over_users(inputs, lines):
    config = ItemNeighboursConfig(similar=NeighbourSettings(shrink=4, min_support=3, blocks=3))
    held = holdings(lines, lambda line: line[0])
    common, count = held.T @ held, held.sum(axis=0)
    found = table(similar(inputs.purchases, inputs.items, config))
    assert_neighbours(found, common, common / (np.sqrt(np.outer(count, count)) + 4), 3)


def test_bought_together_is_the_shrunk_lift_over_baskets(inputs, lines):
    config = ItemNeighboursConfig(bought_together=BasketNeighbourSettings(shrink=1, min_support=1, blocks=2))
    held = holdings(lines, lambda line: (line[0], line[2]))
    common, count = held.T @ held, held.sum(axis=0)
    # Baskets of one item say nothing of pairs but count among all.
    expected = np.outer(count, count) / len(held)
    found = table(bought_together(inputs.purchases, inputs.items, config))
    assert_neighbours(found, common, common / (expected + 1), 1)


def test_scores_are_the_sum_over_the_users_weightiest_items(inputs, lines):
    near = np.random.default_rng(6).random((ITEMS, ITEMS)) * (1 - np.eye(ITEMS))
    rows = [(f"i{i}", f"i{j}", float(near[i, j])) for i in range(ITEMS) for j in range(ITEMS) if i != j]
    columns = "item_id string, neighbour_id string, similarity double"
    neighbours = inputs.items.sparkSession.createDataFrame(rows, columns)
    config = ItemKnnConfig(half_life_days=20, items=4)
    found = defaultdict(dict)
    for row in propose(inputs, neighbours, config, ITEMS, ITEMS).collect():
        found[row["user_id"]][row["item_idx"]] = row["score"]
    for user in range(USERS):
        weight = np.zeros(ITEMS)
        for _, item, ago in (line for line in lines if line[0] == user):
            weight[item] += 2 ** (-ago / 20)
        weight = np.log1p(weight)
        weight[weight < np.sort(weight)[-4]] = 0
        scores = weight @ near
        assert found[f"u{user}"] == pytest.approx({i: scores[i] for i in range(ITEMS) if scores[i] > 0}, rel=1e-6)
