"""Where things lie: paths and URIs, understood alike by Spark, by Arrow and by every process of a run."""

import re
from pathlib import Path

from pyarrow import fs

from shoprec.errors import ConfigError

_SCHEME = re.compile(r"[A-Za-z][\w+.-]*:")


def absolute(place: str) -> str:
    """``place`` with a local path made absolute, so that it means the same in every process."""
    return place if _SCHEME.match(place) else str(Path(place).absolute())


def local_path(place: str) -> Path | None:
    """The local folder or file that ``place`` names; None where it lies elsewhere."""
    if place.startswith("file:"):
        return Path("/" + place.removeprefix("file:").lstrip("/"))
    return None if _SCHEME.match(place) else Path(place)


def file_system(place: str) -> tuple[fs.FileSystem, str]:
    """Arrow's file system for ``place``, and the path on it.

    Hadoop's names of S3 (``s3a``, ``s3n``) are understood: Spark knows no others.

    :raises ConfigError: Arrow knows no such place
    """
    local = local_path(place)
    if local is not None:
        return fs.LocalFileSystem(), str(local.absolute())
    try:
        return fs.FileSystem.from_uri(re.sub(r"^s3[an]:", "s3:", place))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{place} is no place that Arrow can open: {error} — give a local folder (on Databricks /Volumes/…) or a "
            "URI of S3, GCS, Azure (abfss) or HDFS, with --set files=… or export.out=…"
        ) from error
