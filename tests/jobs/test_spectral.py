"""The job spectral: both tables of embeddings, the same on a repeat."""

import pytest

from shoprec.contracts.gold import ITEM_EMBEDDINGS, USER_EMBEDDINGS
from tests.contracts.planted import ITEMS, USERS
from tests.jobs.planted_sources import planted_lake, run

SETTINGS = {"rank": 3, "oversampling": 9, "passes": 2, "blocks": 2}


def vectors(lake, table, key):
    return {row[key]: row["vector"] for row in lake.read(table, model="spectral").collect()}


def test_embeddings_of_all_that_has_samples_are_written_and_a_repeat_gives_the_same(spark, tmp_path):
    lake = planted_lake(spark, tmp_path)
    run(lake, "spectral", **SETTINGS)
    users, items = vectors(lake, USER_EMBEDDINGS, "user_id"), vectors(lake, ITEM_EMBEDDINGS, "item_id")
    assert set(users) == {f"u{n:03d}" for n in range(USERS)}
    assert set(items) == {f"i{n:03d}" for n in range(ITEMS)}
    assert {len(vector) for vector in (*users.values(), *items.values())} == {3}
    run(lake, "spectral", **SETTINGS)
    for table, key, before in ((USER_EMBEDDINGS, "user_id", users), (ITEM_EMBEDDINGS, "item_id", items)):
        after = vectors(lake, table, key)
        assert after.keys() == before.keys()
        for name, vector in before.items():
            assert after[name] == pytest.approx(vector, rel=1e-3, abs=1e-4)
