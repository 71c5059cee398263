"""Codes columns of any table as numbers for a model: numeric columns standardised, words as small integers."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from shoprec.training.encoding import Encoding, Numeric, Words

#: Standardised values are held within this many standard deviations.
CLIP = 5.0

#: Columns at least this skewed, and never below 0, are taken by their logarithm.
SKEWED = 2.0


def numeric_columns(rows: DataFrame) -> list[str]:
    """The names of the numeric columns of a table."""
    return [field.name for field in rows.schema.fields if isinstance(field.dataType, T.NumericType)]


def learn(rows: DataFrame, numeric: Sequence[str], words: Sequence[str], most_words: int) -> Encoding:
    """Learn the encoding of the named columns; figures and at most ``most_words`` words of each column come back."""
    return Encoding(_learn_numeric(rows, numeric), _learn_words(rows, words, most_words))


def encode(rows: DataFrame, keep: Sequence[str], encoding: Encoding) -> DataFrame:
    """The columns ``keep``, then ``n_<name>`` (float) and ``w_<name>`` (int) for each column of the encoding."""
    for one in encoding.words:
        numbered = [(value, number) for number, value in enumerate(one.values, start=1)]
        table = rows.sparkSession.createDataFrame(numbered, f"`{one.name}` string, `w_{one.name}` int")
        rows = rows.join(F.broadcast(table), on=one.name, how="left")
    return rows.select(
        *keep,
        *(_standardised(one).cast("float").alias(f"n_{one.name}") for one in encoding.numeric),
        *(F.coalesce(f"w_{one.name}", F.lit(0)).alias(f"w_{one.name}") for one in encoding.words),
    )


def _standardised(one: Numeric) -> Column:
    if one.deviation == 0:
        return F.lit(0.0)
    value = F.col(one.name).cast("double")
    score = ((F.log1p(value) if one.log else value) - one.mean) / one.deviation
    held = F.least(F.greatest(score, F.lit(-CLIP)), F.lit(CLIP))
    # greatest and least pass over null: without this an unknown value would be an extreme one.
    return F.when(value.isNull(), F.lit(0.0)).otherwise(held)


def _learn_numeric(rows: DataFrame, names: Sequence[str]) -> tuple[Numeric, ...]:
    if not names:
        return ()
    values = F.array(*(F.col(name).cast("double") for name in names))
    x = F.col("x")
    log = F.when(x >= 0, F.log1p(x))
    figures = (
        rows.select(F.posexplode(values).alias("number", "x"))
        .groupBy("number")
        .agg(
            F.min(x).alias("low"),
            F.coalesce(F.skewness(x), F.lit(0.0)).alias("skewness"),
            *(F.coalesce(F.avg(c), F.lit(0.0)).alias(f"mean_{n}") for n, c in (("x", x), ("log", log))),
            *(F.coalesce(F.stddev_pop(c), F.lit(0.0)).alias(f"deviation_{n}") for n, c in (("x", x), ("log", log))),
        )
        .collect()
    )
    by_number = {row["number"]: row for row in figures}
    unknown = T.Row(low=None, skewness=0.0, mean_x=0.0, deviation_x=0.0)
    return tuple(_numeric(name, by_number.get(number, unknown)) for number, name in enumerate(names))


def _numeric(name: str, row: T.Row) -> Numeric:
    log = row["low"] is not None and row["low"] >= 0 and row["skewness"] > SKEWED
    kind = "log" if log else "x"
    deviation = _steady(row[f"deviation_{kind}"])
    return Numeric(name, log, _steady(row[f"mean_{kind}"]), deviation if deviation > 1e-9 else 0.0)


def _steady(figure: float) -> float:
    # Sums of floats differ in their last bits with the order of the rows; a model must not differ with them.
    return float(f"{figure:.6g}")


def _learn_words(rows: DataFrame, names: Sequence[str], most: int) -> tuple[Words, ...]:
    if not names:
        return ()
    values = F.array(*(F.col(name).cast("string") for name in names))
    counted = rows.select(F.posexplode(values).alias("number", "word")).where("word is not null")
    counted = counted.groupBy("number", "word").count()
    order = Window.partitionBy("number").orderBy(F.desc("count"), "word")
    frequent = counted.withColumn("place", F.row_number().over(order)).where(F.col("place") <= most)
    found = sorted((row["number"], row["place"], row["word"]) for row in frequent.collect())
    return tuple(Words(name, tuple(w for n, _, w in found if n == number)) for number, name in enumerate(names))
