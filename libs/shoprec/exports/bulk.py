"""Bulk files with a manifest, on any store: Spark writes the parts, and the manifest, put last, makes them seen.

An export is a folder that holds ``manifest.json`` and a folder ``v<n>-…`` with the files that the manifest names. A
new export writes ``v<n+1>-…``, a name that no other export chooses, while readers still hold to the old manifest;
putting the new manifest is the one step that changes what they see, and needs no renaming of folders, which object
stores do not have. The files of the manifest before stay, for those who are still copying them; all other versions
are removed, with what exports that died left over. Of several exports at once the first to end is seen; the others end
with an error, unless two put their manifests within the same moment, which no store here can tell.
"""

import json
import math
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.errors import ConfigError, ContractBroken, PublishConflict
from shoprec.exports import files
from shoprec.places import absolute
from shoprec.reuse import reused

MANIFEST = "manifest.json"

_HASHED = "path string, bytes long, sha256 string"

#: The name of a version's folder. Others in the same place are somebody else's.
_VERSION = re.compile(r"v\d+-[0-9a-f]{8}")

#: Spark's name for each format, and the options it is written with.
_SPARK = {"parquet": ("parquet", {"compression": "zstd"}), "jsonl": ("json", {"ignoreNullFields": "false"})}


def export(
    documents: DataFrame, out: str, formats: Sequence[str], users_per_file: int, facts: dict[str, Any]
) -> dict[str, Any]:
    """Write ``documents`` (as of ``exports.recommendations``) below ``out`` and return the manifest, put last.

    The manifest holds ``facts``, ``users``, ``recommendations`` (per list) and for each file its path, format, bytes,
    SHA-256, users and recommendations per list, counted by reading back what was written.

    :raises ConfigError: lists of a later date lie there
    :raises ContractBroken: what was read back is not what was written, or not the same in two formats
    :raises PublishConflict: another export was put there meanwhile
    """
    root = absolute(out.rstrip("/"))
    before = _manifest(root) or {"version": 0}
    _refuse_older(root, before, facts)
    version = before["version"] + 1
    folder = f"v{version}-{uuid.uuid4().hex[:8]}"
    with reused(documents) as held:
        # Not a file for each part that a shuffle happened to make: a small shop's lists fit one.
        users = held.count()
        written = held.coalesce(max(1, math.ceil(users / users_per_file)))
        entries = [one for name in formats for one in _write(written, root, f"{folder}/{name}", name, users_per_file)]
    counts = {name: _totals([e for e in entries if e["format"] == name]) for name in formats}
    if any(count != counts[formats[0]] or count["users"] != users for count in counts.values()):
        raise ContractBroken(f"export to {root}: of {users} users, its files hold {counts} — export again")
    manifest = {**facts, **counts[formats[0]], "version": version, "folder": folder, "files": entries}
    if (_manifest(root) or {}).get("folder") != before.get("folder"):
        raise PublishConflict(f"export to {root}: another export was put there meanwhile and stands — export again")
    files.write(f"{root}/{MANIFEST}", json.dumps(manifest, indent=2, sort_keys=True).encode())
    for name in files.folders(root):
        if _VERSION.fullmatch(name) and name not in (folder, before.get("folder")):
            files.remove(f"{root}/{name}")
    return manifest


def _manifest(root: str) -> dict[str, Any] | None:
    content = files.read(f"{root}/{MANIFEST}")
    return json.loads(content) if content else None


def _refuse_older(root: str, there: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    if there.get("as_of", "") > facts.get("as_of", ""):
        raise ConfigError(
            f"export to {root}: the lists of {there['as_of']} lie there, those of {facts['as_of']} are older — choose "
            "another place with --set export.out=…"
        )


def _write(documents: DataFrame, root: str, folder: str, name: str, users_per_file: int) -> list[dict[str, Any]]:
    """The manifest's entries of one format's files, in order of path."""
    form, options = _SPARK[name]
    target = f"{root}/{folder}"
    documents.write.mode("errorifexists").options(**options, maxRecordsPerFile=users_per_file).format(form).save(target)
    return _entries(documents, target, folder, name)


def _entries(documents: DataFrame, target: str, folder: str, name: str) -> list[dict[str, Any]]:
    spark, (form, _) = documents.sparkSession, _SPARK[name]
    parts = spark.read.format("binaryFile").option("pathGlobFilter", "part-*").load(target)
    hashed = parts.select("path", F.col("length").alias("bytes")).mapInArrow(_hashed, _HASHED)
    back = spark.read.schema(documents.schema).format(form).load(target)
    counted = back.groupBy(F.col("_metadata.file_name").alias("file")).agg(
        F.count("user_id").alias("users"),
        F.sum(F.size("all")).alias("all"),
        F.sum(F.size("discovery")).alias("discovery"),
    )
    file = F.element_at(F.split("path", "/"), -1)
    rows = hashed.withColumn("file", file).join(counted, on="file", how="left").orderBy("file").collect()
    return [
        {
            "path": f"{folder}/{row['file']}", "format": name, "bytes": row["bytes"], "sha256": row["sha256"],
            "users": row["users"] or 0, "recommendations": {"all": row["all"] or 0, "discovery": row["discovery"] or 0},
        }
        for row in rows
    ]  # fmt: skip


def _hashed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Adds the files' SHA-256, read in pieces: a file of many users is larger than a task's memory may be."""
    for batch in batches:
        digests = [files.sha256(path) for path in batch.column("path").to_pylist()]
        columns = {name: batch.column(name) for name in batch.schema.names}
        yield pa.RecordBatch.from_pydict({**columns, "sha256": pa.array(digests, pa.string())})


def _totals(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    lists = ("all", "discovery")
    return {
        "users": sum(entry["users"] for entry in entries),
        "recommendations": {name: sum(entry["recommendations"][name] for entry in entries) for name in lists},
    }


def verify(out: str) -> dict[str, Any]:
    """Hold the files of an export against its manifest, and return the manifest. Needs no Spark.

    :raises ContractBroken: there is no manifest, or files are missing, surplus or changed; the message names them
    """
    root = absolute(out.rstrip("/"))
    manifest = _manifest(root)
    if manifest is None:
        raise ContractBroken(f"there is no {MANIFEST} in {root}: no export was finished there — run the job export")
    named = {entry["path"]: entry for entry in manifest["files"]}
    # Spark may leave a file without a byte for an empty partition: it holds nothing and is not listed.
    there = {
        p: size
        for p, size in files.listing(f"{root}/{manifest['folder']}").items()
        if p.split("/")[-1].startswith("part-") and size
    }
    there = {f"{manifest['folder']}/{path}": size for path, size in there.items()}
    broken = [f"{path} is missing" for path in sorted(named.keys() - there.keys())]
    broken += [f"{path} is not in the manifest" for path in sorted(there.keys() - named.keys())]
    for path in sorted(named.keys() & there.keys()):
        if there[path] != named[path]["bytes"]:
            broken.append(f"{path} has {there[path]} bytes instead of {named[path]['bytes']}")
        elif files.sha256(f"{root}/{path}") != named[path]["sha256"]:
            broken.append(f"{path} was changed: its SHA-256 is not the manifest's")
    if broken:
        more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
        raise ContractBroken(f"export {root}: {'; '.join(broken[:5])}{more} — export again")
    return manifest
