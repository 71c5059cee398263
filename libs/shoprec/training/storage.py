"""Files below a URI, on a local disk or an object store, by Arrow's file systems; files appear whole or not at all."""

import uuid

import pyarrow.fs as pafs

from shoprec.places import absolute, file_system


class Folder:
    """One folder of a file system: names are relative to it, with '/' between their parts.

    :raises ConfigError: Arrow knows no such place
    """

    def __init__(self, uri: str) -> None:
        self.uri = absolute(uri).rstrip("/")
        self._base, self._root = file_system(self.uri)

    @property
    def fs(self) -> pafs.FileSystem:
        """The file system; take paths for it from :meth:`path`."""
        return self._base

    def path(self, name: str = "") -> str:
        """The path of ``name`` on :attr:`fs`."""
        return f"{self._root}/{name}" if name else self._root

    def below(self, name: str) -> "Folder":
        """The folder ``name`` inside this one."""
        return Folder(f"{self.uri}/{name}")

    def exists(self, name: str = "") -> bool:
        """Whether there is a file or folder called ``name``."""
        return self._base.get_file_info(self.path(name)).type != pafs.FileType.NotFound

    def files(self, name: str = "") -> dict[str, int]:
        """Name -> bytes of the files directly in the folder ``name``, in order of name; none where it is missing."""
        found = self._base.get_file_info(pafs.FileSelector(self.path(name), allow_not_found=True))
        return {info.base_name: info.size for info in sorted(found, key=lambda i: i.base_name) if info.is_file}

    def read(self, name: str) -> bytes:
        """The content of a file. Raises FileNotFoundError where there is none."""
        with self._base.open_input_stream(self.path(name), compression=None) as stream:
            return stream.read()

    def write(self, name: str, content: bytes) -> None:
        """Write a file under a temporary name, then give it its own: a reader sees the old content or the new."""
        folder, _, stem = name.rpartition("/")
        self._base.create_dir(self.path(folder), recursive=True)
        temporary = self.path(f"{folder}/.{stem}.{uuid.uuid4().hex}".lstrip("/"))
        with self._base.open_output_stream(temporary, compression=None) as stream:
            stream.write(content)
        self._base.move(temporary, self.path(name))

    def delete(self, name: str) -> None:
        """Delete a file or folder; nothing happens where there is none."""
        kind = self._base.get_file_info(self.path(name)).type
        if kind == pafs.FileType.Directory:
            self._base.delete_dir(self.path(name))
        elif kind != pafs.FileType.NotFound:
            self._base.delete_file(self.path(name))
