"""Writes a training snapshot by Spark: plain Parquet that workers read without Spark, and a manifest of what it holds.

The manifest is written last, at once: a snapshot without one was never finished.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from shoprec.errors import ShoprecError
from shoprec.training.manifest import MANIFEST, FileRows, Manifest, TableFiles
from shoprec.training.storage import Folder


@dataclass(frozen=True)
class Shuffled:
    """A table whose rows are put into a random but repeatable order: by a hash of the key.

    The key's first column decides first, so that one part of the rows holds all that share its value: a rank then
    needs what belongs to its own users alone.
    """

    rows: DataFrame
    key: Sequence[str]
    files: int = 8
    seed: int = 0

    def ordered(self) -> DataFrame:
        """The rows in order: that of their files, and within a file."""
        by = [F.xxhash64(F.lit(self.seed), self.key[0]), F.xxhash64(F.lit(self.seed), *self.key)]
        return self.rows.repartition(self.files, self.key[0]).sortWithinPartitions(*by, *self.key)


@dataclass(frozen=True)
class Plan:
    """What a snapshot holds: tables by name, and JSON-able facts that workers need."""

    tables: Mapping[str, DataFrame | Shuffled]
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_snapshot(plan: Plan, folder: Folder) -> Manifest:
    """Write ``plan`` into ``folder``, replacing what is there.

    :raises ShoprecError: what lies there after writing is not what was written
    """
    folder.delete(MANIFEST)
    tables = {name: _write(name, table, folder) for name, table in plan.tables.items()}
    content = json.dumps(
        {name: table.digest for name, table in tables.items()} | {"facts": dict(plan.facts)}, sort_keys=True
    )
    manifest = Manifest(hashlib.sha256(content.encode()).hexdigest(), tables, dict(plan.facts))
    folder.write(MANIFEST, manifest.to_json())
    return manifest


def _write(name: str, table: DataFrame | Shuffled, folder: Folder) -> TableFiles:
    rows = table.ordered() if isinstance(table, Shuffled) else table
    seen = Observation()
    # A sum of hashes does not depend on the order; as a decimal it neither overflows nor rounds.
    digest = F.coalesce(F.sum(F.xxhash64(*rows.columns).cast("decimal(20,0)")), F.lit(0)).cast("string")
    observed = rows.observe(seen, F.count(F.lit(1)).alias("rows"), digest.alias("digest"))
    observed.write.mode("overwrite").parquet(f"{folder.uri}/{name}")
    sizes = {file: size for file, size in folder.files(name).items() if file.endswith(".parquet")}
    files = tuple(FileRows(file, size, _rows(folder, f"{name}/{file}")) for file, size in sizes.items())
    written = TableFiles(sum(file.rows for file in files), str(seen.get["digest"]), tuple(rows.columns), files)
    if written.rows != seen.get["rows"]:
        raise ShoprecError(
            f"{folder.uri}/{name} holds {written.rows:,} rows, {seen.get['rows']:,} were written: run again"
        )
    return written


def _rows(folder: Folder, name: str) -> int:
    return pq.read_metadata(folder.path(name), filesystem=folder.fs).num_rows
