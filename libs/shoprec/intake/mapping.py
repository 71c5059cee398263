"""One mapper for every table: source columns become ours by the expressions of the shop's YAML, or are refused."""

import re
from collections.abc import Mapping

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.cleaning.versions import EVER
from shoprec.contracts import Table
from shoprec.contracts.bronze import LINEAGE
from shoprec.contracts.core import Column as Contract
from shoprec.errors import ConfigError, first_line
from shoprec.intake.readers import UNPARSED
from shoprec.intake.shop import MADE, Dataset, TableMapping
from shoprec.settings import nearest

#: What must hold of a mapped row beyond its columns' types and ranges: (reason for which it is refused, SQL condition).
RULES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "interactions": (
        ("quantity is not above 0", "type != 'return' AND quantity <= 0"),
        ("quantity of a return is not below 0", "type = 'return' AND quantity >= 0"),
        ("known before it happened", "known_at < event_at"),
    ),
    **dict.fromkeys(
        ("items", "users", "prices", "promotions"), (("valid_to is not after valid_from", "valid_to <= valid_from"),)
    ),
}

#: The columns that say where a mapped row came from.
ORIGIN: tuple[str, ...] = ("_dataset", *(column.name for column in LINEAGE))

#: Why a mapped row was refused (null: it was not), whether it is of another table, and the row as read.
VERDICT: tuple[str, ...] = ("_reason", "_passed_over", "_raw")


def map_rows(
    mapping: TableMapping, table: Table, datasets: Mapping[str, Dataset], bronze: Mapping[str, DataFrame]
) -> DataFrame:
    """The rows of ``mapping.dataset`` with the columns of ``table``, each with its verdict; none is lost or added.

    A row is refused for the first of: a line that did not parse, a value that is not of the type its column was given,
    (passed over: ``where`` is not true), a rule of ``refuse``, a missing, unfit or out-of-range value. Columns that
    ``table`` makes itself (see ``MADE``) are not there, but for ``event_key`` and ``timeless``.

    :param bronze: the datasets that the mapping names, with their lineage
    :returns: mapped columns, ``event_key`` (interactions), the columns ``ORIGIN`` and ``VERDICT``
    :raises ConfigError: an expression does not parse or names a column that is not there
    """
    where = f"tables.{table.name} of dataset {mapping.dataset}"
    own = bronze[mapping.dataset]
    source = _typed(own, datasets[mapping.dataset], mapping, where, keep_raw=True).alias(mapping.dataset)
    for join in mapping.join:
        _check_join(join.by, source, bronze[join.dataset], f"{where}, join with {join.dataset}")
        looked_up = latest(_typed(bronze[join.dataset], datasets[join.dataset], mapping, where), join.by)
        source = source.join(looked_up.alias(join.dataset), on=list(join.by), how="left")
    columns = [c for c in table.columns if c.name not in MADE[table.name]]
    values = {c.name: _value(source, mapping, c, where) for c in columns}
    told = source.select(
        *(value.alias(name) for name, (value, _) in values.items()),
        *(unfit.alias(f"_unfit_{name}") for name, (_, unfit) in values.items()),
        *([_event_key(source, mapping, where).alias("event_key")] if "event_key" in table.names else []),
        F.lit(mapping.dataset).alias("_dataset"),
        *ORIGIN[1:],
        "_mistyped",
        _condition(source, mapping.where or "true", f"{where}, where").alias("_wanted"),
        _first(
            [(reason, _condition(source, sql, f"{where}, refuse {reason!r}")) for reason, sql in mapping.refuse.items()]
        ).alias("_against_rule"),
        "_raw",
    )
    rows = _with_defaults(told, mapping, table)
    judged = F.coalesce("_mistyped", F.when(F.col("_wanted"), F.coalesce("_against_rule", _unfit(columns, table))))
    return rows.select(
        *(name for name in table.names if name in rows.columns),
        *ORIGIN,
        judged.alias("_reason"),
        (F.col("_mistyped").isNull() & ~F.col("_wanted")).alias("_passed_over"),
        "_raw",
    )


def _with_defaults(rows: DataFrame, mapping: TableMapping, table: Table) -> DataFrame:
    """What a mapping may leave out: when a row was known, and for things without history from when on it holds."""
    known_after = F.make_dt_interval(secs=F.lit(mapping.known_after.total_seconds()))
    if "timeless" not in table.names:
        began = "event_at" if "event_at" in table.names else "valid_from"
        return rows.withColumn("known_at", F.coalesce("known_at", F.col(began) + known_after))
    timeless = "valid_from" not in mapping.columns
    if timeless:
        rows = rows.withColumn("valid_from", F.lit(EVER)).withColumn("known_at", F.lit(EVER))
    known_at = F.coalesce("known_at", F.col("valid_from") + known_after)
    return rows.withColumn("known_at", known_at).withColumn("timeless", F.lit(timeless))


def latest(rows: DataFrame, keys: tuple[str, ...]) -> DataFrame:
    """Of rows with equal ``keys`` the one delivered last, without its lineage: what a lookup finds.

    A line that did not parse, or holds a value of another type (``_mistyped``), stands only where no whole one does.
    """
    content = [c for c in rows.columns if c not in ORIGIN and c not in keys and not c.startswith("_")]
    order = F.struct(F.col("_mistyped").isNull(), "_ingestion_id", "_file", "_row", "_occurrence")
    chosen = F.max_by(F.struct(*(F.col(f"`{c}`") for c in content), F.lit(1).alias("_found")), order)
    one = rows.groupBy(*keys).agg(chosen.alias("_latest"))
    return one.select(*keys, *(F.col(f"_latest.`{c}`").alias(c) for c in content))


def _typed(rows: DataFrame, dataset: Dataset, mapping: TableMapping, where: str, keep_raw: bool = False) -> DataFrame:
    """``rows`` with the columns of ``dataset.types`` cast, and what could not be cast named in ``_mistyped``.

    Only columns that the mapping mentions count: a bad value elsewhere is no reason to refuse a row.
    """
    for column in dataset.types:
        if column not in rows.columns:
            raise ConfigError(f"{where}: types names column {column!r}; {nearest(column, _plain(rows))}")
    told = " ".join((*mapping.expressions, *(c for join in mapping.join for c in join.by))).lower()
    words = set(re.findall(r"\w+", told))
    cast = {c: _try_cast(F.col(f"`{c}`"), sql, f"{where}, types.{c}") for c, sql in dataset.types.items()}
    bad = [
        (f"{c} is not {dataset.types[c]}", _filled(rows, c).isNotNull() & value.isNull())
        for c, value in cast.items()
        if c.lower() in words or (not re.fullmatch(r"\w+", c) and c.lower() in told)
    ]
    if UNPARSED in rows.columns:
        bad.insert(0, ("the line does not parse", F.col(UNPARSED).isNotNull()))
    plain = [cast.get(c, F.col(f"`{c}`")).alias(c) for c in _plain(rows)]
    plain += [F.col(name) for name in ORIGIN[1:]] + [_first(bad).alias("_mistyped")]
    if not keep_raw:
        return rows.select(*plain)
    raw = F.struct(*(F.col(f"`{c}`") for c in (*_plain(rows), UNPARSED) if c in rows.columns))
    return rows.select(*plain, raw.alias("_raw"))


def _plain(rows: DataFrame) -> list[str]:
    lineage = {*ORIGIN, UNPARSED, "_mistyped", "_raw"}
    return [c for c in rows.columns if c not in lineage]


def _filled(rows: DataFrame, column: str) -> Column:
    """The column, with blank texts as null."""
    value = F.col(f"`{column}`")
    return F.nullif(F.trim(value), F.lit("")) if dict(rows.dtypes)[column] == "string" else value


def _try_cast(value: Column, sql_type: str, where: str) -> Column:
    try:
        return value.try_cast(sql_type)
    except ParseException as error:
        raise ConfigError(f"{where}: {sql_type!r} is no Spark SQL type, such as int or timestamp") from error


def _value(source: DataFrame, mapping: TableMapping, column: Contract, where: str) -> tuple[Column, Column]:
    """The mapped value of one of our columns, and whether the source had one that is not of its type."""
    sql = mapping.columns.get(column.name)
    if sql is None:
        return F.lit(None).cast(column.type), F.lit(False)
    given = resolved(source, sql, f"{where}, column {column.name}")
    if column.type == "string":
        text = F.trim(given.cast("string"))
        return F.when(text != "", text), F.lit(False)
    cast = given.try_cast(column.type)
    return cast, given.isNotNull() & cast.isNull()


def _event_key(source: DataFrame, mapping: TableMapping, where: str) -> Column:
    """The identity of the event: dataset and the key's values, or a hash of the whole row where no key is told.

    Not ``_row``: what that is differs by format, and in Parquet it counts from 0 in every file.
    """
    whole = F.md5(F.to_json("_raw"))
    parts = [resolved(source, sql, f"{where}, event_key") for sql in mapping.event_key] or [whole]
    return F.concat_ws(":", F.lit(mapping.dataset), *(_escaped(part.cast("string")) for part in parts))


def _escaped(part: Column) -> Column:
    r"""A part of a key, that unlike parts may never join to equal keys: ``:`` as ``\:``, null as ``\0``."""
    plain = F.replace(F.replace(part, F.lit("\\"), F.lit("\\\\")), F.lit(":"), F.lit("\\:"))
    return F.coalesce(plain, F.lit("\\0"))


def _unfit(columns: list[Contract], table: Table) -> Column:
    """The first reason for which a mapped row does not hold the contract, or null."""
    reasons: list[tuple[str, Column]] = []
    for column in columns:
        value = F.col(column.name)
        reasons.append((f"{column.name} is not {column.type}", F.col(f"_unfit_{column.name}")))
        if not column.nullable:
            reasons.append((f"{column.name} is missing", value.isNull()))
        if column.low is not None:
            reasons.append((f"{column.name} is below {column.low:g}", value < column.low))
        if column.high is not None:
            reasons.append((f"{column.name} is above {column.high:g}", value > column.high))
        if column.allowed:
            reasons.append((f"{column.name} is not one of {', '.join(column.allowed)}", ~value.isin(*column.allowed)))
    return _first([*reasons, *((reason, F.expr(sql)) for reason, sql in RULES[table.name])])


def _first(reasons: list[tuple[str, Column]]) -> Column:
    """The first reason whose condition is true, or null."""
    chosen = F.lit(None).cast("string")
    for reason, condition in reversed(reasons):
        chosen = F.when(condition, F.lit(reason)).otherwise(chosen)
    return chosen


def _condition(source: DataFrame, sql: str, where: str) -> Column:
    return F.coalesce(resolved(source, sql, where).cast("boolean"), F.lit(False))


def resolved(source: DataFrame, sql: str, where: str) -> Column:
    """The expression ``sql`` over the columns of ``source``.

    :raises ConfigError: it does not parse, names a column that is not there (the nearest is named), or has wrong types
    """
    try:
        expression = F.expr(sql)
        source.select(expression).schema  # noqa: B018 - asking for the schema is what makes Spark analyse it
    except ParseException as error:
        raise ConfigError(f"{where}: {sql!r} is no Spark SQL expression: {first_line(error)}") from error
    except AnalysisException as error:
        condition = error.getCondition() or ""
        if condition.startswith("UNRESOLVED_COLUMN"):
            missing = (error.getMessageParameters() or {}).get("objectName", "").replace("`", "")
            known = [c for c in source.columns if not c.startswith("_")]
            hint = nearest(missing.rpartition(".")[2], known)
            raise ConfigError(f"{where}: {sql!r} names column {missing!r}, which is not there; {hint}") from error
        raise ConfigError(f"{where}: {sql!r} cannot be computed: {first_line(error)}") from error
    return expression


def _check_join(keys: tuple[str, ...], left: DataFrame, right: DataFrame, where: str) -> None:
    for rows, which in ((left, "the dataset"), (right, "the other")):
        for key in keys:
            if key not in rows.columns:
                raise ConfigError(
                    f"{where}: {which} has no column {key!r}; {nearest(key, _plain(rows))} — both must have it by one "
                    "name, which `columns` of a dataset can give"
                )
