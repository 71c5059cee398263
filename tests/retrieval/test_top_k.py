"""Exact top-K against brute force, ties included."""

import numpy as np
import pytest
from pyspark.errors import PySparkException

from shoprec.retrieval import top_k as module
from shoprec.retrieval.ties import id_hash, tie_hashes
from shoprec.retrieval.top_k import top_k

VECTORS = "vector array<float>"


def tables(spark, users, items, seen, mask=None, masks=None):
    mask, masks = mask or {}, masks or {}
    user_rows = [(f"u{n}", vector.tolist(), seen.get(n), mask.get(n)) for n, vector in enumerate(users)]
    item_rows = [(f"i{n}", n, vector.tolist(), masks.get(n)) for n, vector in enumerate(items)]
    return (
        spark.createDataFrame(user_rows, f"user_id string, {VECTORS}, seen array<int>, mask bigint"),
        spark.createDataFrame(item_rows, f"item_id string, item_idx int, {VECTORS}, masks array<bigint>"),
    )


def brute_force(spark, users, items, seen, new, bought, may=lambda user, item: True):
    """Every score, sorted by (score, Spark's own hash): {user: [(item, score)]} of both quotas."""

    def hashes(prefix, count):
        ids = spark.createDataFrame([(f"{prefix}{n}", n) for n in range(count)], "id string, n int")
        return np.array([row[0] for row in ids.orderBy("n").select(id_hash("id")).collect()], dtype=np.int64)

    user_hashes, item_hashes = hashes("u", len(users)), hashes("i", len(items))
    scores, answer = users @ items.T, {}
    for user in range(len(users)):
        ties = tie_hashes(np.full(len(items), user_hashes[user]), item_hashes)
        order = sorted(range(len(items)), key=lambda item: (-scores[user, item], ties[item]))
        order = [item for item in order if may(user, item)]
        known = set(seen.get(user) or [])
        fresh, old = [i for i in order if i not in known], [i for i in order if i in known]
        answer[f"u{user}"] = {(i, float(scores[user, i])) for i in fresh[:new] + old[:bought]}
    return answer


def found(result):
    lists = {}
    for row in result.collect():
        lists.setdefault(row["user_id"], []).append((row["item_idx"], row["score"]))
    assert all(len(one) == len(set(one)) for one in lists.values())
    return {user: set(one) for user, one in lists.items()}


# Whole numbers make dot products exact and ties frequent: three levels in four dimensions leave some 17 scores.
@pytest.mark.parametrize(("levels", "new", "bought"), [(2, 20, 5), (3, 1, 0), (50, 7, 100), (3, 0, 4)])
def test_equal_to_brute_force_with_ties(spark, levels, new, bought, monkeypatch):
    monkeypatch.setattr(module, "LEAST_USERS_PER_TASK", 16)
    draw = np.random.default_rng(levels)
    users = draw.integers(0, levels, (40, 4)).astype(np.float32)
    items = draw.integers(-1, levels, (300, 4)).astype(np.float32)
    users[3] = 0
    seen = {n: sorted(draw.choice(300, size=n, replace=False).tolist()) for n in range(0, 40, 3)} | {5: None, 6: []}
    result = found(top_k(*tables(spark, users, items, seen), new, bought))
    expected = brute_force(spark, users, items, seen, new, bought)
    assert result == {user: items for user, items in expected.items() if items}


@pytest.mark.parametrize("levels", [2, 50])
def test_masks_let_through_what_is_for_all_and_for_the_users_own(spark, levels, monkeypatch):
    monkeypatch.setattr(module, "LEAST_USERS_PER_TASK", 16)
    draw = np.random.default_rng(levels)
    users = draw.integers(0, levels, (40, 4)).astype(np.float32)
    items = draw.integers(-1, levels, (300, 4)).astype(np.float32)
    seen = {n: sorted(draw.choice(300, size=30, replace=False).tolist()) for n in range(0, 40, 3)}
    mask = {n: (None, -(2**63), 7, 2**63 - 1)[n % 4] for n in range(40)}
    every = {n: (None, [], [7], [-(2**63), 7])[draw.integers(4)] for n in range(300)}

    def may(user, item):
        return every[item] is None or mask[user] in every[item]

    result = found(top_k(*tables(spark, users, items, seen, mask, every), 20, 8))
    assert result == brute_force(spark, users, items, seen, 20, 8, may)


def test_a_pairs_score_does_not_depend_on_who_shares_its_tile(spark):
    draw = np.random.default_rng(4)
    users, items = (draw.normal(size=(count, 24)).astype(np.float32) for count in (70, 1_030))
    items[[3, 400, 1_025, 1_029]] = items[7]
    rows = {"every": (users, items, {}), "few users": (users[:3], items, {}), "few items": (users, items[:9], {})}
    rows["masked"] = users, items, {"mask": {0: 1, 1: 2, 5: 2}, "masks": {n: [n % 3] for n in range(1_030)}}
    scores = {}
    for name, (some, of, masks) in rows.items():
        made = top_k(*tables(spark, some, of, {}, **masks), 2_000).collect()
        scores[name] = {(row["user_id"], row["item_idx"]): row["score"] for row in made}
    for name, found in scores.items():
        assert found == {pair: scores["every"][pair] for pair in found}, name
    assert len(scores["masked"]) == 2 * 343 + 343  # users 0, 1 and 5: the others have no mask, and no item is for all
    for user in range(70):
        assert len({scores["every"][f"u{user}", item] for item in (3, 7, 400, 1_025, 1_029)}) == 1


def test_a_mask_that_lets_nothing_through_gives_no_list(spark):
    users, items = np.ones((2, 2), np.float32), np.ones((4, 2), np.float32)
    result = found(top_k(*tables(spark, users, items, {0: [1]}, {0: 5, 1: 6}, {n: [6] for n in range(4)}), 3, 2))
    assert result.keys() == {"u1"}
    assert len(result["u1"]) == 3


def test_more_than_there_is_gives_all_there_is(spark):
    users, items = np.ones((2, 2), np.float32), np.ones((4, 2), np.float32)
    result = found(top_k(*tables(spark, users, items, {0: [1, 3]}), 1_000, 1_000))
    assert {user: sorted(item for item, _ in one) for user, one in result.items()} == {
        "u0": [0, 1, 2, 3],
        "u1": [0, 1, 2, 3],
    }


def test_many_tiles_and_groups_change_nothing(spark, monkeypatch):
    draw = np.random.default_rng(1)
    users, items = draw.integers(0, 3, (70, 3)), draw.integers(0, 3, (1000, 3))
    rows = tables(spark, users.astype(np.float32), items.astype(np.float32), {1: [0, 999], 2: list(range(0, 1000, 2))})
    whole = found(top_k(*rows, 30, 10))
    stream = module._search
    batches = module._rows(*rows, 1).toArrow().combine_chunks().to_batches(max_chunksize=90)  # mix users and items
    monkeypatch.setattr(module, "TILE_USERS", 16)
    monkeypatch.setattr(module, "TILE_ITEMS", 64)
    tables_out = [batch.to_pylist() for batch in stream(batches, 30, 10)]
    assert {r["user_id"] for part in tables_out for r in part} == set(whole)
    for part in tables_out:
        for row in part:
            assert (row["item_idx"], row["score"]) in whole[row["user_id"]]
    assert sum(map(len, tables_out)) == sum(map(len, whole.values()))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("side", ["users", "items"])
def test_numbers_that_are_not_finite_are_refused(spark, bad, side):
    users, items = np.ones((3, 2), np.float32), np.ones((4, 2), np.float32)
    (users if side == "users" else items)[1, 1] = bad
    with pytest.raises(PySparkException, match=f"vectors of {side} hold non-finite numbers in 1 of"):
        top_k(*tables(spark, users, items, {}), 2).collect()


def test_widths_must_agree(spark):
    users, items = np.ones((3, 2), np.float32), np.ones((4, 3), np.float32)
    with pytest.raises(PySparkException, match="vectors of users are 2 wide, of items 3"):
        top_k(*tables(spark, users, items, {}), 2).collect()


def test_no_items_give_no_lists(spark):
    assert top_k(*tables(spark, np.ones((3, 2), np.float32), np.ones((0, 2)), {}), 2).count() == 0
