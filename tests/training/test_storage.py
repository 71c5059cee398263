"""Folders below a URI."""

import pytest

from shoprec.training.storage import Folder


@pytest.mark.parametrize("scheme", ["", "file://", "file:"])
def test_files_are_written_whole_and_replaced(tmp_path, scheme):
    folder = Folder(f"{scheme}{tmp_path}/a b")
    folder.write("sub/one", b"old")
    folder.write("sub/one", b"new")
    assert folder.read("sub/one") == b"new"
    assert folder.files("sub") == {"one": 3}
    assert [path.name for path in (tmp_path / "a b" / "sub").iterdir()] == ["one"]
    assert folder.below("sub").read("one") == b"new"


def test_what_is_not_there(tmp_path):
    folder = Folder(str(tmp_path / "nothing"))
    assert not folder.exists("one")
    assert folder.files() == {}
    folder.delete("one")
    with pytest.raises(FileNotFoundError):
        folder.read("one")


def test_deleting_files_and_folders(tmp_path):
    folder = Folder(str(tmp_path))
    folder.write("sub/one", b"1")
    folder.write("two", b"2")
    folder.delete("sub")
    folder.delete("two")
    assert list(tmp_path.iterdir()) == []
