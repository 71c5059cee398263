"""Raw files in: which of a dataset's files are new, and their rows as they stand in them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec.errors import ConfigError
from shoprec.intake import simulated
from shoprec.intake.places import expand
from shoprec.intake.shop import Dataset

#: The line as it stands in the file where it does not fit the columns, else null (csv and json).
UNPARSED = "_unparsed"

#: Characters that Delta refuses in column names.
_REFUSED_IN_NAMES = set(" ,;{}()\n\t=")

#: Bytes of a Parquet file from which on it is asked how its rows lie: a byte may hold one.
_WORTH_A_LOOK = 8 << 20

#: Rows that two tasks work at sooner than one.
_MANY = 8_000_000


@dataclass(frozen=True)
class Delivery:
    """The new files of a dataset: their rows with ``_file`` and ``_file_bytes``, None when there is nothing new.

    Where the format knows it, ``_row`` is the place of the row in its file.
    """

    rows: DataFrame | None
    files: tuple[str, ...]
    known_files: int


@dataclass(frozen=True)
class _File:
    path: str
    name: str
    size: int


def deliver(spark: SparkSession, name: str, dataset: Dataset, known: Mapping[str, int]) -> Delivery:
    """The rows of the files of ``dataset`` that are not ``known`` yet.

    The list of files, one entry a file, is held on the driver.

    :param name: the dataset's name, for messages
    :param known: files taken in before: name -> bytes
    :raises ConfigError: nothing is there, it cannot be read, or a known file has changed
    """
    if dataset.format == "simulated":
        return _simulated(spark, name, dataset, known)
    path = expand(dataset.path, f"dataset {name}")
    found, prefix = _files(spark, name, path)
    _refuse_changed(name, {file.name: file.size for file in found}, known)
    new = [file for file in found if file.name not in known]
    filled = [file for file in new if file.size > 0]
    if not filled:
        return Delivery(None, tuple(file.name for file in new), len(found) - len(new))
    read = _read(spark, name, dataset, filled)
    _check_names(name, dataset, read.columns)
    rows = read.select(
        "*",
        F.substring("_metadata.file_path", prefix + 1, 2**31 - 1).alias("_file"),
        F.col("_metadata.file_size").alias("_file_bytes"),
        *([F.col("_metadata.row_index").alias("_row")] if dataset.format == "parquet" else []),
    )
    if dataset.format == "parquet" and len(filled) == 1 and filled[0].size >= _WORTH_A_LOOK:
        try:
            rows = halved(rows, _MANY)
        except (PySparkException, Py4JJavaError) as error:
            if "FAILED_READ_FILE" in str(error):
                raise unreadable(name, dataset, error) from error
            raise
    return Delivery(rows, tuple(file.name for file in new), len(found) - len(new))


def halved(rows: DataFrame, many: int) -> DataFrame:
    """The same ``rows`` of a Parquet file, in two halves where one task alone would read ``many`` or more.

    Spark reads a row group in one task, however many rows it has, and what becomes of them is done there, too. Each
    half reads all of them, which takes less than writing, and goes on with its own.

    :param rows: with ``_row``, the place in the file
    """
    counts = rows.groupBy(F.spark_partition_id()).count()
    tasks, most = counts.agg(F.count("*"), F.coalesce(F.max("count"), F.lit(0))).first()
    if tasks > 1 or most < many:
        return rows
    # A row without a place, which no reader is known to give, must not be in neither.
    half = F.coalesce(F.col("_row") % 2, F.lit(0))
    return rows.where(half == 0).unionByName(rows.where(half == 1))


def _files(spark: SparkSession, name: str, path: str) -> tuple[list[_File], int]:
    # Listing through Spark's own file source works on every store that Spark reads.
    listing = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    try:
        there = listing.load(path)
        rows = there.select("path", "_metadata.file_path", "_metadata.file_size").collect()
    except AnalysisException as error:
        raise ConfigError(f"dataset {name}: there is no file at {path} — mend its path in the shop's YAML") from error
    urls = [row["file_path"] for row in rows]
    # The rows leave out files without a byte; the list of files has them, local ones as file:/// and not file:/.
    listed = {url.replace("file:///", "file:/", 1) for url in there.inputFiles()}
    empty = sorted(listed - set(urls))
    if not (urls or empty):
        raise ConfigError(f"dataset {name}: the folder {path} holds no file — put the raw files there")
    prefix = _root_length((urls or empty)[0], path)
    found = [_File(row["path"], row["file_path"][prefix:], row["file_size"]) for row in rows]
    found += [_File(unquote(url), url[prefix:], 0) for url in empty]
    return sorted(found, key=lambda file: file.name), prefix


def _root_length(file_path: str, path: str) -> int:
    """Length of the part of ``file_path`` (a URL) that is the dataset's root: names begin behind it."""
    plain = path.split("://", 1)[-1].removeprefix("file:").rstrip("/")
    fixed = plain.split("*")[0].split("?")[0].split("[")[0].split("{")[0]
    is_whole_folder = fixed == plain and not unquote(file_path).endswith(plain)
    root = plain if is_whole_folder else fixed.rpartition("/")[0]
    for end in (i for i, character in enumerate(file_path) if character == "/"):
        if unquote(file_path[:end]).endswith(root):
            return end + 1
    return 0


def _refuse_changed(name: str, found: Mapping[str, int], known: Mapping[str, int]) -> None:
    changed = [file for file, size in found.items() if known.get(file, size) != size]
    if changed:
        first = changed[0]
        raise ConfigError(
            f"dataset {name}: {len(changed)} files changed after they were taken in, {first} from {known[first]} to "
            f"{found[first]} bytes, and each is taken in once — take them away and deliver what is new as files with "
            "other names (`path` may be a folder or a pattern), or use another lake with --set tables=…; name a file "
            "that is still being written .name or _name until it is whole: such are passed over"
        )


def _read(spark: SparkSession, name: str, dataset: Dataset, files: list[_File]) -> DataFrame:
    # Of Parquet files that differ in columns one alone would tell which there are, and the others' would be lost.
    reader = spark.read.option("mergeSchema", "true").options(**{k: str(v) for k, v in dataset.options.items()})
    paths = [file.path for file in files]
    try:
        if dataset.format == "parquet":
            return reader.parquet(*paths)
        columns = dataset.columns or tuple(reader.option("header", "true").csv(paths[0]).columns)
        schema = ", ".join(f"`{column}` string" for column in (*columns, UNPARSED))
        reader = reader.schema(schema).option("mode", "PERMISSIVE").option("columnNameOfCorruptRecord", UNPARSED)
        if dataset.format == "json":
            return reader.json(paths)
        header = reader.option("header", str("header" not in dataset.options or dataset.options["header"]).lower())
        return header.option("enforceSchema", str(bool(dataset.columns)).lower()).csv(paths)
    except (PySparkException, Py4JJavaError) as error:
        raise unreadable(name, dataset, error) from error


def _check_names(name: str, dataset: Dataset, columns: list[str]) -> None:
    odd = [column for column in columns if set(column) & _REFUSED_IN_NAMES]
    if not odd:
        return
    advice = "write the files with other names"
    own = [column for column in columns if column != UNPARSED]
    if dataset.format == "csv" and len(own) == 1 and (found := set(own[0]) & {";", "\t"}):
        advice = f"it is one column: say what separates them, options: {{sep: {json.dumps(min(found))}}}"
    elif dataset.format == "csv":
        plain = json.dumps(_plain_names(own), ensure_ascii=False)
        advice = f"name all of them, in the files' order, by `columns: {plain}`"
    raise ConfigError(
        f"dataset {name}: {len(odd)} columns have names that cannot be stored, {odd}: a Delta table refuses spaces and "
        f"any of , ; {{ }} ( ) = in them — {advice}"
    )


def _plain_names(columns: list[str]) -> list[str]:
    """Names that can be stored, each once; where one says nothing, or repeats another, its place is in it."""
    plain: list[str] = []
    for place, column in enumerate(columns, 1):
        word = re.sub(r"\W+", "_", column).strip("_").lower()
        plain.append(f"{word or 'column'}_{place}" if not word or word in plain else word)
    return plain


def unreadable(name: str, dataset: Dataset, error: Exception) -> ConfigError:
    """What to tell the user when Spark could not read the files of a dataset."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    header = next((i for i, line in enumerate(lines) if "CSV header" in line), None)
    if header is not None:
        told = " ".join(line.strip() for line in lines[header : header + 5])
        return ConfigError(f"dataset {name}: its files have different headers: {told} — make a dataset of each kind")
    if "CANNOT_MERGE" in str(error):
        told = next((line for line in lines if "Failed to merge" in line or "CANNOT_MERGE_INCOMPATIBLE" in line), "")
        return ConfigError(
            f"dataset {name}: its files have columns of one name and unlike types: {told.strip() or lines[0]} — write "
            "them with one type, or make a dataset of each kind"
        )
    # Java's errors come wrapped: the line that names the file says most.
    named = next(
        (line for line in lines if "Encountered error while reading file" in line), lines[0] if lines else error
    )
    return ConfigError(
        f"dataset {name}: its files cannot be read as {dataset.format}: {named} — mend `format` "
        "and `options` in the shop's YAML, or take the broken file away"
    )


def _simulated(spark: SparkSession, name: str, dataset: Dataset, known: Mapping[str, int]) -> Delivery:
    options = simulated.SimulatorOptions.of(dataset.options, name)
    found = simulated.file_names(dataset.path, options)
    _refuse_changed(name, dict.fromkeys(found, options.digest), known)
    new = tuple(file for file in found if file not in known)
    if not new:
        return Delivery(None, (), len(found))
    rows = simulated.raw(spark, dataset.path, options).withColumn("_file_bytes", F.lit(options.digest))
    fresh = rows if len(new) == len(found) else rows.where(F.col("_file").isin(*new))
    return Delivery(fresh, new, len(found) - len(new))
