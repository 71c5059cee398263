"""Whether two lakes hold the same tables, as the design defines same: read without Spark and without our code."""

import math
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from shoprec.contracts import TABLES, Table

#: Tables about the runs themselves: what they say of time and versions differs by nature.
ABOUT_RUNS = {"job_runs", "runs"}


def rows(lake: Path, table: Table, run_id: str | None) -> dict[tuple, dict[str, Any]]:
    """The rows of ``table`` by key, those of one run where it has runs; wall-clock columns left out."""
    kept = [c.name for c in table.columns if not c.wall_clock]
    read = DeltaTable(lake / table.layer / table.name).to_pyarrow_table(columns=kept).to_pylist()
    if run_id is not None and "run_id" in kept:
        read = [row for row in read if row["run_id"] == run_id]
    return {tuple(row[name] for name in table.key): row for row in read}


def differences(table: Table, one: Path, other: Path, run_id: str | None = None) -> list[str]:
    """What differs, in words; at most a few lines."""
    left, right = rows(one, table, run_id), rows(other, table, run_id)
    found = [f"{table.name}: {len(left)} rows against {len(right)}"] if len(left) != len(right) else []
    found += [f"{table.name}: key {key} only in one of them" for key in list(left.keys() ^ right.keys())[:3]]
    for key in left.keys() & right.keys():
        for column in table.columns:
            if not column.wall_clock and not _equal(left[key][column.name], right[key][column.name], column.tolerance):
                values = f"{left[key][column.name]!r} against {right[key][column.name]!r}"
                found.append(f"{table.name} {key}: {column.name} {values:.200}")
        if len(found) > 5:
            break
    return found


def _equal(a: Any, b: Any, tolerance: float) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_equal(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[k], b[k], tolerance) for k in a)
    return a == b


def assert_same_gold(one: Path, other: Path, run_id: str) -> None:
    """Every gold table that a run makes holds the same rows in both lakes, and some rows at all."""
    found, seen = [], 0
    for table in TABLES.values():
        if table.layer == "gold" and table.name not in ABOUT_RUNS | {"metrics"}:
            found += differences(table, one, other, run_id)
            seen += len(rows(one, table, run_id))
    assert not found, "\n".join(found)
    assert seen > 1000, "too few rows to say anything"
