"""What every job that writes embeddings of the planted shop must do."""

from typing import Any

import pytest

from shoprec.contracts.gold import ITEM_EMBEDDINGS, USER_EMBEDDINGS
from shoprec.lake import Lake
from tests.contracts.planted import ITEMS, USERS
from tests.jobs.planted_sources import run
from tests.small_tables import rows


def assert_written_and_repeated(lake: Lake, model: str, **settings: Any) -> None:
    """``model`` writes vectors of ``rank`` for all users and items, and on a repeat the same."""
    first, again = (_written(lake, model, settings) for _ in range(2))
    assert set(first) == {f"u{n:03d}" for n in range(USERS)} | {f"i{n:03d}" for n in range(ITEMS)}
    assert {len(vector) for vector in first.values()} == {settings["rank"]}
    assert again.keys() == first.keys()
    for name, vector in first.items():
        assert again[name] == pytest.approx(vector, rel=1e-3, abs=1e-4)


def _written(lake: Lake, model: str, settings: dict[str, Any]) -> dict[str, list[float]]:
    run(lake, model, **settings)
    tables = (USER_EMBEDDINGS, "user_id"), (ITEM_EMBEDDINGS, "item_id")
    return {row[key]: row["vector"] for table, key in tables for row in rows(lake, table, model=model)}
