"""Codes columns of any table as numbers for a model: numeric columns standardised, words as small integers."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from shoprec.training.encoding import Encoding, Numeric, Words

#: Standardised values are held within this many standard deviations.
CLIP = 5.0

#: Columns at least this skewed, and never below 0, are taken by their logarithm.
SKEWED = 2.0

#: Type of a coded column by the head of its name.
_CODED = {"n_": T.FloatType(), "w_": T.IntegerType()}


def numeric_columns(rows: DataFrame) -> list[str]:
    """The names of the numeric columns of a table."""
    return [field.name for field in rows.schema.fields if isinstance(field.dataType, T.NumericType)]


def learn(rows: DataFrame, numeric: Sequence[str], words: Sequence[str], most_words: int) -> Encoding:
    """Learn the encoding of the named columns; figures and at most ``most_words`` words of each column come back."""
    return Encoding(_learn_numeric(rows, numeric), _learn_words(rows, words, most_words))


def encode(rows: DataFrame, keep: Sequence[str | Column], encoding: Encoding) -> DataFrame:
    """The columns ``keep``, then ``n_<name>`` (float) and ``w_<name>`` (int) for each column of the encoding."""
    numeric = (F.col(one.name).cast("double").alias(f"n_{one.name}") for one in encoding.numeric)
    words = (F.col(one.name).cast("string").alias(f"w_{one.name}") for one in encoding.words)
    plain = rows.select(*keep, *numeric, *words)
    schema = T.StructType([T.StructField(f.name, _CODED.get(f.name[:2], f.dataType)) for f in plain.schema.fields])

    def code(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The columns of words and figures as numbers for the model, the others as they are."""
        words = {f"w_{one.name}": pa.array(one.values, pa.string()) for one in encoding.words}
        figures = {f"n_{one.name}": one for one in encoding.numeric}
        for batch in batches:
            named = zip(batch.schema.names, batch.columns, strict=True)
            coded = [
                _standardised(values, figures[name])
                if name in figures
                else _numbered(values, words[name])
                if name in words
                else values
                for name, values in named
            ]
            yield pa.RecordBatch.from_arrays(coded, names=batch.schema.names)

    return plain.mapInArrow(code, schema)


def _numbered(words: pa.Array, known: pa.Array) -> pa.Array:
    place = pc.index_in(words, known, skip_nulls=True)
    return pc.add(pc.fill_null(place, -1), 1).cast(pa.int32())


def _standardised(numbers: pa.Array, one: Numeric) -> pa.Array:
    value = numbers.to_numpy(zero_copy_only=False)
    if one.deviation == 0:
        return pa.array(np.zeros(len(value), np.float32))
    with np.errstate(invalid="ignore"):
        score = ((np.log1p(value) if one.log else value) - one.mean) / one.deviation
    # An unknown value stands in the middle.
    return pa.array(np.where(np.isnan(score), 0.0, np.clip(score, -CLIP, CLIP)).astype(np.float32))


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
