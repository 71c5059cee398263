"""Public splits: their rows, and the days on which a shop would have seen them.

The pipeline learns from what users did within the last horizon before the as-of date, here one day. So each row of the
training part is given a day: those that the rankers shall learn on the last one, all others earlier ones.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Literal

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from shoprec.errors import ConfigError, first_line
from shoprec.hashes import taken
from shoprec.moments import midnight

Protocol = Literal["leave_last_out", "ratio"]

#: The as-of date of the shop that a split is made into.
AS_OF = date(2020, 6, 1)
#: Days before it that no row's day lies beyond, however long a history is: silver has a folder for each month.
MOST_DAYS = 1_000
#: Bounds of the share of the training part that rankers learn on, where it is drawn at random.
LEAST_SHARE, MOST_SHARE = 0.05, 0.2


def read(spark: SparkSession, path: Path, say: Callable[[str], None]) -> DataFrame:
    """The rows of a Parquet or CSV file (whose header names its columns): user_id, item_id (strings), at, weight.

    ``at`` (double) orders a user's rows, by ``time`` or ``position``, and where the file has neither as they lie in it;
    ``ordered`` says whether it had. ``weight`` is 1 unless the file says more. Rows without a user or an item are left
    out, and ``say`` is told how many.

    :raises ConfigError: the file cannot be read or lacks a column, holds no row, or a weight or time that is none
    """
    rows = _open(spark, path, ("user_id", "item_id"))
    by = next((name for name in ("time", "position") if name in rows.columns), None)
    if by is None and path.is_dir():
        raise ConfigError(f"{path} is a folder, whose files have no order: add a column time or position")
    at = _sortable(by) if by else F.lit(0.0)
    weight = F.col("weight").cast("string").try_cast("double") if "weight" in rows.columns else F.lit(1.0)
    # As silver keeps them: else users of the two parts would not be found in each other.
    ids = (F.nullif(F.trim(F.col(name).cast("string")), F.lit("")).alias(name) for name in ("user_id", "item_id"))
    typed = rows.withColumn("place", F.monotonically_increasing_id()).select(
        *ids, at.alias("at"), "place", weight.alias("weight"), F.lit(by is not None).alias("ordered")
    )
    whole = F.col("user_id").isNotNull() & F.col("item_id").isNotNull()
    finite = F.abs("weight") < float("inf")
    wrong = {by or "time": F.isnan("at") | F.col("at").isNull(), "weight": ~((F.col("weight") > 0) & finite)}
    counts = typed.agg(
        F.count(F.lit(1)).alias("rows"), F.count_if(whole).alias("whole"),
        *(F.count_if(whole & F.coalesce(bad, F.lit(True))).alias(name) for name, bad in wrong.items()),
    ).first()  # fmt: skip
    if counts["whole"] < counts["rows"]:
        left_out = counts["rows"] - counts["whole"]
        say(f"{path}: {left_out:,} of {counts['rows']:,} rows name no user or no item: left out")
    if not counts["whole"]:
        raise ConfigError(f"{path} holds no row with a user_id and an item_id")
    for name in wrong:
        if counts[name]:
            need = "a finite number above 0" if name == "weight" else "a number or a time"
            raise ConfigError(f"{path}: column {name} is not {need} in {counts[name]:,} of {counts['rows']:,} rows")
    return typed.where(whole)


def dated(train: DataFrame, protocol: Protocol, share: float, seed: int) -> DataFrame:
    """The training rows with ``event_at``: user_id, item_id, weight, event_at.

    ``leave_last_out``: a user's last row lies a day before ``AS_OF``, the one before it two days, and so on: what comes
    next is learnt from what came last. ``ratio``: a random part lies a day before, the rest further back, in its order
    where it has one, else on one day.

    :param train: as of ``read``
    :param share: of the rows, of which rankers learn; for ``ratio``
    """
    latest = Window.partitionBy("user_id").orderBy(F.desc("at"), F.desc("place"))
    back = F.row_number().over(latest.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    if protocol == "ratio":
        back = F.when(taken(share, seed, "user_id", "item_id"), 1).when(F.col("ordered"), back + 1).otherwise(2)
    noon = midnight(AS_OF) - F.make_dt_interval(F.least(back, F.lit(MOST_DAYS)) - 1, F.lit(12))
    return train.select("user_id", "item_id", "weight", noon.alias("event_at"))


def learnt_share(train_rows: int, test_rows: int) -> float:
    """The share of the training part that rankers learn on: that of the test part in all, within bounds."""
    return min(MOST_SHARE, max(LEAST_SHARE, test_rows / (train_rows + test_rows)))


def catalogue(train: DataFrame, items: DataFrame | None) -> DataFrame:
    """item_id, name, text: of every item of the training part, and of those that the file of items describes.

    :param items: as of ``read_items``; None: nothing is known of items
    """
    sold = train.select("item_id").distinct()
    if items is None:
        return sold.withColumns({"name": F.lit(None).cast("string"), "text": F.lit(None).cast("string")})
    return sold.join(items, on="item_id", how="full_outer")


def read_items(spark: SparkSession, path: Path) -> DataFrame:
    """The rows of a Parquet, CSV or JSON-lines file of items: item_id, name (its title), text (title and attributes).

    :raises ConfigError: the file cannot be read, lacks ``item_id``, names an item twice, or attributes are neither a
        list nor a text
    """
    rows = _open(spark, path, ("item_id",))
    title = F.col("title").cast("string") if "title" in rows.columns else F.lit(None).cast("string")
    said, kind = [title], dict(rows.dtypes).get("attributes")
    if kind is not None and kind.startswith("array"):
        said.append(F.array_join(F.col("attributes").cast("array<string>"), " "))
    elif kind == "string":
        said.append(F.col("attributes"))
    elif kind is not None:
        raise ConfigError(f"{path}: attributes are {kind}: give a list or a text")
    text = F.nullif(F.lower(F.concat_ws(" ", *said)), F.lit(""))
    item = F.nullif(F.trim(F.col("item_id").cast("string")), F.lit(""))
    told = rows.select(item.alias("item_id"), title.alias("name"), text.alias("text"))
    told = told.where(F.col("item_id").isNotNull())
    twice = told.groupBy("item_id").count().where("count > 1").count()
    if twice:
        raise ConfigError(f"{path} describes {twice:,} items more than once: one row an item")
    return told


def _open(spark: SparkSession, path: Path, needed: tuple[str, ...]) -> DataFrame:
    formats = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".jsonl": "json"}
    kind = "parquet" if path.is_dir() else formats.get(path.suffix.lower())
    if kind is None:
        raise ConfigError(f"{path}: name a .parquet, .csv or .jsonl file")
    if not path.exists():
        raise ConfigError(f"{path} does not exist")
    # Quotes within quotes are doubled, and titles may have several lines.
    options = {"header": True, "escape": '"', "multiLine": True} if kind == "csv" else {}
    try:
        rows = spark.read.options(**options).format(kind).load(str(path))
    except PySparkException as error:
        raise ConfigError(f"{path} cannot be read as {kind}: {first_line(error)}") from error
    missing = [name for name in needed if name not in rows.columns]
    if missing:
        raise ConfigError(f"{path} has no column {' and '.join(missing)}; it has {', '.join(rows.columns)}")
    return rows


def _sortable(name: str) -> Column:
    """Numbers as they are, times as seconds."""
    text = F.col(name).cast("string")
    return F.coalesce(text.try_cast("double"), text.try_cast("timestamp").cast("double"))
