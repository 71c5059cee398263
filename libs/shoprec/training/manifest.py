"""The manifest of a training snapshot: its files, how many rows each holds, and a digest of the rows."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

#: Name of the manifest in the snapshot's folder.
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class FileRows:
    """One Parquet file: its name in the table's folder, its bytes and rows."""

    name: str
    bytes: int
    rows: int


@dataclass(frozen=True)
class TableFiles:
    """One table: the order of ``files``, and of rows within a file, is the order of its rows."""

    rows: int
    digest: str
    columns: tuple[str, ...]
    files: tuple[FileRows, ...]


@dataclass(frozen=True)
class Manifest:
    """All tables of a snapshot. Equal ``digest``: equal rows and facts, whatever the files are called."""

    digest: str
    tables: dict[str, TableFiles]
    facts: dict[str, Any]

    def to_json(self) -> bytes:
        """The manifest as it is written."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    @classmethod
    def of_json(cls, content: bytes) -> Self:
        """The manifest that :meth:`to_json` wrote. Raises ValueError, KeyError or TypeError on anything else."""
        told = json.loads(content)
        tables = {
            name: TableFiles(
                one["rows"], one["digest"], tuple(one["columns"]), tuple(FileRows(**file) for file in one["files"])
            )
            for name, one in told["tables"].items()
        }
        return cls(told["digest"], tables, told["facts"])
