"""Reading a snapshot: rows in order, from any range, and nothing that is not what the manifest says."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shoprec.errors import ShoprecError
from shoprec.training import reader
from shoprec.training.manifest import MANIFEST
from shoprec.training.reader import Snapshot, column, matrix, padded
from shoprec.training.storage import Folder
from tests.training.arrow_snapshot import write_tables

ROWS = 53


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = Folder(str(tmp_path_factory.mktemp("snapshot")))
    table = pa.table({"a": np.arange(ROWS, dtype=np.int32), "b": np.arange(ROWS) * 0.5})
    write_tables(folder, {"numbers": table, "empty": table.slice(0, 0)}, {"x": 1}, files=3)
    return folder


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(ends=st.tuples(st.integers(0, ROWS), st.integers(0, ROWS)), rows_a_batch=st.sampled_from([2, 5, 100]))
def test_any_range_of_rows_comes_in_order(folder, ends, rows_a_batch, monkeypatch):
    # Batches smaller than the files and their row groups, too: a rank may begin in any of them.
    monkeypatch.setattr(reader, "BATCH_ROWS", rows_a_batch)
    low, high = sorted(ends)
    batches = list(Snapshot(folder).batches("numbers", ["a"], low, high))
    assert [n for batch in batches for n in batch.column("a").to_pylist()] == list(range(low, high))
    assert all(batch.schema.names == ["a"] and batch.num_rows > 0 for batch in batches)


def test_an_empty_table_has_no_batches(folder):
    assert list(Snapshot(folder).batches("empty")) == []
    assert Snapshot(folder).rows("empty") == 0


def test_columns_as_numbers():
    batch = pa.record_batch({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "l": [[1, 2], [], [3]]})
    assert column(batch, "a", np.float32).tolist() == [1.0, 2.0, 3.0]
    assert matrix(batch, ["b", "a"], np.float32).tolist() == [[0.5, 1.0], [1.5, 2.0], [2.5, 3.0]]
    assert matrix(batch, [], np.float32).shape == (3, 0)
    assert padded(batch, "l", 3, -1, np.int32).tolist() == [[1, 2, -1], [-1, -1, -1], [3, -1, -1]]
    assert padded(batch.slice(1), "l", 1, 0, np.int32).tolist() == [[0], [3]]


@pytest.fixture
def copy(tmp_path):
    folder = Folder(str(tmp_path))
    write_tables(folder, {"numbers": pa.table({"a": list(range(20))})}, {})
    return folder


def test_without_a_manifest_there_is_no_snapshot(copy):
    copy.delete(MANIFEST)
    with pytest.raises(ShoprecError, match="no finished training snapshot"):
        Snapshot(copy)


def test_a_manifest_cut_short_is_no_manifest(copy):
    copy.write(MANIFEST, copy.read(MANIFEST)[:-5])
    with pytest.raises(ShoprecError, match="no finished training snapshot"):
        Snapshot(copy)


def test_a_missing_or_changed_file_is_refused(copy):
    content = copy.read("numbers/part-00001.parquet")
    copy.write("numbers/part-00001.parquet", content + b"x")
    with pytest.raises(ShoprecError, match=r"part-00001.parquet has [\d,]+ bytes, its manifest says [\d,]+"):
        Snapshot(copy)
    copy.delete("numbers/part-00001.parquet")
    with pytest.raises(ShoprecError, match=r"part-00001.parquet has 0 bytes"):
        Snapshot(copy)


def test_other_rows_than_the_manifest_counts_are_refused(copy):
    copy.write(MANIFEST, copy.read(MANIFEST).replace(b'"rows": 10', b'"rows": 11'))
    with pytest.raises(ShoprecError, match="has 10 rows, its manifest says 11"):
        list(Snapshot(copy).batches("numbers"))
