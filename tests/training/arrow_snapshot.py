"""Training snapshots made by Arrow alone, for tests that need no Spark."""

import pyarrow as pa
import pyarrow.parquet as pq

from shoprec.training.manifest import MANIFEST, FileRows, Manifest, TableFiles
from shoprec.training.storage import Folder


def write_tables(folder: Folder, tables: dict[str, pa.Table], facts: dict, files: int = 2, group: int = 7) -> None:
    """Write each table into ``files`` Parquet files with row groups of ``group`` rows, then the manifest."""
    written = {}
    for name, table in tables.items():
        parts = []
        for number in range(files):
            low, high = number * len(table) // files, (number + 1) * len(table) // files
            file = f"part-{number:05d}.parquet"
            folder.fs.create_dir(folder.path(name), recursive=True)
            path = folder.path(f"{name}/{file}")
            pq.write_table(table.slice(low, high - low), path, filesystem=folder.fs, row_group_size=group)
            parts.append(FileRows(file, folder.files(name)[file], high - low))
        written[name] = TableFiles(len(table), f"digest of {name}", tuple(table.column_names), tuple(parts))
    folder.write(MANIFEST, Manifest("digest", written, facts).to_json())
