"""Packed numbers: what goes in comes out, whole, cut, null or through Spark."""

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from shoprec.packed import binary, matrix_in, numbers, pack, packed, unpacked

ROWS = pa.table({
    "id": ["a", "b", "c"],
    "x": pa.array([1.5, None, 3.0], pa.float32()),
    "y": pa.array([1, 2, 3], pa.int32()),
    "z": pa.array([0.1, 0.2, 0.3], pa.float64()),
})  # fmt: skip
INTO = {"one": ("x", "z"), "two": ("y",)}
EXPECTED = np.array([[1.5, 0.1], [np.nan, 0.2], [3.0, 0.3]], np.float32)


def test_what_is_packed_comes_out_as_float32_with_nan_for_null() -> None:
    made = packed(ROWS, INTO)
    assert made.column_names == ["id", "one", "two"]
    assert made["one"][0].as_py() == np.array([1.5, 0.1], np.float32).tobytes()
    np.testing.assert_array_equal(matrix_in(made, "one", 2), EXPECTED)
    again = unpacked(made, INTO)
    assert again.column_names == ["id", "x", "z", "y"]
    np.testing.assert_array_equal(again["x"].to_numpy(), EXPECTED[:, 0])
    assert again["y"].to_pylist() == [1, 2, 3]


def test_parts_of_longer_columns_are_read_from_where_they_begin() -> None:
    """Slices, and chunks that are slices, of which one begins within the buffers."""
    made = packed(ROWS, INTO)
    np.testing.assert_array_equal(matrix_in(made.slice(1), "one", 2), EXPECTED[1:])
    cut = pa.concat_tables([made.slice(2), made.slice(0, 1)])
    np.testing.assert_array_equal(matrix_in(cut, "one", 2), EXPECTED[[2, 0]])
    values, ends = numbers(made.column("one").slice(1, 1), np.float32)
    np.testing.assert_array_equal(values, EXPECTED[1])
    assert ends.tolist() == [0, 2]


def test_a_null_value_is_unknown_throughout() -> None:
    one = pa.array([EXPECTED[0].tobytes(), None, EXPECTED[2].tobytes()], pa.binary())
    told = matrix_in(pa.table({"one": one}), "one", 2)
    np.testing.assert_array_equal(told, np.array([[1.5, 0.1], [np.nan, np.nan], [3.0, 0.3]], np.float32))
    nothing = pa.table({"one": pa.array([None, None], pa.binary())})
    assert np.isnan(matrix_in(nothing, "one", 2)).all()


def test_binaries_with_longer_offsets_are_read_as_well() -> None:
    """What Spark sends with useLargeVarTypes; taken for the usual ones, other bytes would be read."""
    made = packed(ROWS, INTO)
    large = made.set_column(1, "one", made["one"].cast(pa.large_binary()))
    np.testing.assert_array_equal(matrix_in(large.slice(1), "one", 2), EXPECTED[1:])


def test_without_rows() -> None:
    none = packed(ROWS.slice(0, 0), INTO)
    assert matrix_in(none, "one", 2).shape == (0, 2)
    assert unpacked(none, INTO).num_rows == 0
    assert numbers(pa.chunked_array([], pa.binary()), np.float64)[1].tolist() == [0]


def test_rows_of_different_lengths_and_of_doubles() -> None:
    made = binary(np.arange(5.0), np.array([0, 3, 3, 5]))
    values, ends = numbers(made, np.float64)
    assert values.tolist() == [0, 1, 2, 3, 4]
    assert ends.tolist() == [0, 3, 3, 5]
    assert [np.frombuffer(one.as_py()).tolist() for one in made] == [[0, 1, 2], [], [3, 4]]


def test_another_width_is_refused() -> None:
    """Six numbers are three rows of two, and would make two of three."""
    with pytest.raises(ValueError, match="one holds 6 numbers in 3 rows, not 3 a row"):
        matrix_in(packed(ROWS, INTO), "one", 3)


def test_more_than_a_column_can_hold_is_refused() -> None:
    """Arrow counts the bytes of a binary column in 32 bits: what is more would be cut elsewhere, silently."""
    with pytest.raises(pa.ArrowInvalid):
        binary(np.empty(0, np.float32), np.array([0, 2**29]))


def test_through_spark(spark: SparkSession) -> None:
    made = pack(spark.createDataFrame(ROWS), INTO)
    assert [(field.name, field.dataType.simpleString()) for field in made.schema] == [
        ("id", "string"), ("one", "binary"), ("two", "binary"),
    ]  # fmt: skip
    table = made.toArrow().sort_by("id")
    np.testing.assert_array_equal(matrix_in(table, "one", 2), EXPECTED)
    assert matrix_in(table, "two", 1).tolist() == [[1], [2], [3]]
