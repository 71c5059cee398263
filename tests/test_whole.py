"""Whole groups of rows: none is ever in two tables."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from shoprec.whole import whole


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(1, 7), max_size=12),
    st.lists(st.integers(0, 9), min_size=1, max_size=8),
    st.integers(1, 12),
)
def test_no_group_is_cut_in_two(rows_of_groups: list[int], sizes: list[int], enough: int) -> None:
    """However the rows are cut into batches: all come out, in order, and only the last table may be small."""
    groups = [f"g{n}" for n, rows in enumerate(rows_of_groups) for _ in range(rows)]
    batches, start = [], 0
    for size in [*sizes, len(groups)]:
        batches.append(pa.record_batch({"of": pa.array(groups[start : start + size], pa.string())}))
        start += size
    made = [part.column("of").to_pylist() for part in whole(batches, "of", enough)]
    assert [one for part in made for one in part] == groups
    assert not any(set(one) & set(other) for i, one in enumerate(made) for other in made[:i])
    assert all(len(part) >= enough for part in made[:-1])
