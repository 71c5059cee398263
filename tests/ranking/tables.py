"""Tiny tables that the ranking tests are made of: one user's rows as the kernel gets them, and planted shops."""

from typing import Any

import numpy as np
import pyarrow as pa

from shoprec.packed import binary, matrix_of
from shoprec.ranking.config import FACT_COLUMNS, FEATURES, ITEM_COLUMNS, ODDS, USER_COLUMNS
from shoprec.ranking.features import feature_names, matched_by

SOURCES = ("als", "buy_again")
NAMES = feature_names(SOURCES)


def user_rows(*rows: dict[str, Any]) -> pa.Table:
    """Rows of one user as ``surround`` takes them; what a row does not say is 'nothing known'."""
    columns = {
        **dict.fromkeys(("user_id", "item_id", "market"), (pa.string(), None)),
        **dict.fromkeys(("department", "category", "subcategory", "brand", "tie"), (pa.int64(), None)),
        **dict.fromkeys(("proposals",), (pa.int64(), 0)),
        **{f"score_{source}": (pa.float64(), None) for source in SOURCES},
        **{f"rank_{source}": (pa.int32(), None) for source in SOURCES},
        **{f"match_{model}": (pa.float32(), None) for model in matched_by(SOURCES)},
        **dict.fromkeys(("pair_days", "pair_decayed", "units", "paid"), (pa.float64(), 0.0)),
        **dict.fromkeys(("pair_age", "pair_first_age", ODDS), (pa.float64(), None)),
        **{f"item_{name}": (pa.float32(), None) for name in (*ITEM_COLUMNS, *FACT_COLUMNS)},
        **{f"user_{name}": (pa.float32(), None) for name in USER_COLUMNS},
    }
    told = [{"user_id": "u", "market": "m", "tie": i, **row} for i, row in enumerate(rows)]
    unknown = {name for row in told for name in row} - set(columns)
    assert not unknown, unknown
    return pa.table(
        {name: pa.array([row.get(name, empty) for row in told], kind) for name, (kind, empty) in columns.items()}
    )


def with_features(table: pa.Table, names: tuple[str, ...] = NAMES) -> pa.Table:
    """``table`` and, packed, the features that its columns ``names`` say."""
    return table.append_column(FEATURES, binary(matrix_of(table, names)))


def by_item(table: pa.Table) -> dict[str, dict[str, Any]]:
    """The rows of a table by item."""
    return {row["item_id"]: row for row in table.to_pylist()}


def planted_features(users: int, items: int, seed: int) -> tuple[pa.Table, np.ndarray]:
    """Candidates with a known truth: features (with user_id, item_id, label) and the probability that each label was
    drawn with.

    A purchase depends on two hidden numbers; each source sees one of them, through noise, and proposes the better half.
    """
    rng = np.random.default_rng(seed)
    n = users * items
    one, two = rng.normal(size=(2, n))
    probability = 1 / (1 + np.exp(-(1.5 * one + 1.5 * two - 3.0)))
    columns: dict[str, Any] = {name: np.full(n, np.nan, np.float32) for name in (*NAMES, ODDS)}
    user = np.repeat(np.arange(users), items)
    for source, truth in zip(SOURCES, (one, two), strict=True):
        seen = (truth + 0.3 * rng.normal(size=n)).reshape(users, items)
        rank = (-seen).argsort(axis=1).argsort(axis=1) + 1.0
        listed = rank <= items // 2
        columns[f"score_{source}"] = np.where(listed, seen, np.nan).ravel()
        columns[f"rank_{source}"] = np.where(listed, rank, np.nan).ravel()
    columns["pair_days"] = np.zeros(n)
    table = pa.table({
        "user_id": [f"u{seed}_{i}" for i in user],
        "item_id": [f"i{i}" for i in np.tile(np.arange(items), users)],
        "label": pa.array((rng.random(n) < probability).astype(np.int32)),
        **{name: pa.array(np.asarray(columns[name], np.float32), pa.float32(), from_pandas=True) for name in columns},
    })  # fmt: skip
    return table, probability
