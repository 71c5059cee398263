"""Files on any store: whole or not there, and found again."""

import hashlib
from pathlib import Path

import pytest

from shoprec.exports import files


@pytest.fixture(params=["path", "uri"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder, as a path and as a URI."""
    return str(tmp_path) if request.param == "path" else tmp_path.as_uri()


def test_write_then_read(root: str) -> None:
    files.write(f"{root}/a/b.json", b"one")
    files.write(f"{root}/a/b.json", b"two")
    assert files.read(f"{root}/a/b.json") == b"two"
    assert files.listing(root) == {"a/b.json": 3}


def test_what_is_not_there(root: str) -> None:
    assert files.read(f"{root}/nothing") is None
    assert files.listing(f"{root}/nothing") == {}
    assert files.folders(f"{root}/nothing") == []
    files.remove(f"{root}/nothing")


def test_a_write_that_dies_leaves_the_old_file(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new content is written under another name first: readers never meet a half of it."""
    files.write(f"{root}/m.json", b"old")
    store, path = files.file_system(f"{root}/m.json")

    class Dying:
        type_name = "local"

        def __getattr__(self, name: str):
            return getattr(store, name)

        def move(self, *_: str) -> None:
            raise OSError("power cut")

    monkeypatch.setattr(files, "file_system", lambda _: (Dying(), path))
    with pytest.raises(OSError, match="power cut"):
        files.write(f"{root}/m.json", b"new")
    monkeypatch.undo()
    assert files.read(f"{root}/m.json") == b"old"


def test_hash_of_a_file_longer_than_one_piece(root: str) -> None:
    content = bytes(range(256)) * 10_000
    files.write(f"{root}/big", content)
    assert files.sha256(f"{root}/big") == hashlib.sha256(content).hexdigest()


def test_save_and_remove_a_folder(root: str) -> None:
    files.save(f"{root}/model", {"x": b"1", "y": b"22"})
    assert files.listing(f"{root}/model") == {"x": 1, "y": 2}
    assert files.folders(root) == ["model"]
    files.remove(f"{root}/model")
    assert files.folders(root) == []


def test_relative_paths_are_those_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files.write("out/x", b"1")
    assert (tmp_path / "out" / "x").read_bytes() == b"1"
