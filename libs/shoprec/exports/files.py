"""Files and folders on any store that pyarrow reaches: local folders, S3, GCS, Azure, HDFS."""

import hashlib
import uuid
from collections.abc import Mapping

from pyarrow import fs

from shoprec.places import file_system

#: Bytes read at once while hashing.
_CHUNK = 1 << 20


def write(uri: str, content: bytes) -> None:
    """Put a file: readers see the old content or the new, never a part.

    On a local or HDFS folder by renaming; object stores make an object visible only when it is whole.
    """
    store, path = file_system(uri)
    folder, _, name = path.rpartition("/")
    store.create_dir(folder, recursive=True)
    if not _renames(store):
        with store.open_output_stream(path) as out:
            out.write(content)
        return
    passing = f"{folder}/.{name}.{uuid.uuid4().hex}"
    with store.open_output_stream(passing) as out:
        out.write(content)
    store.move(passing, path)


def _renames(store: fs.FileSystem) -> bool:
    return store.type_name in ("local", "hdfs")


def save(folder: str, files: Mapping[str, bytes]) -> None:
    """Put several files into ``folder``, each whole, in the given order."""
    for name, content in files.items():
        write(f"{folder}/{name}", content)


def read(uri: str) -> bytes | None:
    """The file's content; None where there is none."""
    store, path = file_system(uri)
    if store.get_file_info(path).type == fs.FileType.NotFound:
        return None
    with store.open_input_stream(path) as stream:
        return stream.read()


def listing(folder: str) -> dict[str, int]:
    """Every file below ``folder``: path relative to it -> bytes. Empty where the folder is not there."""
    store, path = file_system(folder)
    found = store.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    return {one.path.removeprefix(f"{path.rstrip('/')}/"): one.size for one in found if one.type == fs.FileType.File}


def folders(folder: str) -> list[str]:
    """Names of the folders directly below ``folder``."""
    store, path = file_system(folder)
    found = store.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return sorted(one.base_name for one in found if one.type == fs.FileType.Directory)


def remove(folder: str) -> None:
    """Remove ``folder`` and all below; nothing happens where it is not there."""
    store, path = file_system(folder)
    if store.get_file_info(path).type == fs.FileType.Directory:
        store.delete_dir(path)


def sha256(uri: str) -> str:
    """SHA-256 of the file, hex, read in pieces."""
    store, path = file_system(uri)
    digest = hashlib.sha256()
    with store.open_input_stream(path) as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
