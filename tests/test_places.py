"""Places: paths and URIs mean the same to Spark, to Arrow and to every process."""

from pathlib import Path

import pytest
from pyarrow import fs

from shoprec.errors import ConfigError
from shoprec.places import absolute, file_system, local_path


def test_relative_places_become_absolute_and_uris_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("out/files") == str(tmp_path / "out/files")
    assert absolute("out") == str(tmp_path / "out")
    for uri in ("s3a://bucket/files", "dbfs:/shop/lake", "file:/data/lake", "/data/lake"):
        assert absolute(uri) == uri


def test_what_lies_on_this_machine() -> None:
    assert local_path("file:///out") == Path("/out")
    assert local_path("file:/out/a b") == Path("/out/a b")
    assert local_path("s3://bucket/files") is None
    assert local_path("dbfs:/shop") is None


def test_hadoops_name_of_s3_is_arrows_too() -> None:
    store, path = file_system("s3a://access:secret@bucket/files?region=eu-west-1")
    assert isinstance(store, fs.S3FileSystem)
    assert path == "bucket/files"


@pytest.mark.parametrize("place", ["unknown://somewhere", "dbfs:/shop/files"])
def test_a_place_of_no_known_kind_is_refused(place: str) -> None:
    with pytest.raises(ConfigError, match="is no place that Arrow can open: .* --set files="):
        file_system(place)
