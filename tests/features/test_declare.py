"""A feature sees what it declares, and gives what it promises."""

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import functions as F

from shoprec.features.declare import feature


@pytest.fixture
def rows(spark):
    return spark.createDataFrame([(1, 2, 3)], "a int, b int, c int")


def test_narrows_what_comes_in_and_goes_out(rows):
    @feature(needs={"table": ("a", "b")}, gives=("a", "d"))
    def add(table, by):
        assert table.columns == ["a", "b"]
        return table.withColumn("d", F.col("b") + by)

    assert add(rows, by=5).first().asDict() == {"a": 1, "d": 7}
    assert (add.needs, add.gives) == ({"table": ("a", "b")}, ("a", "d"))


def test_an_undeclared_column_cannot_be_read(rows):
    @feature(needs={"table": ("a",)}, gives=("a", "d"))
    def sneak(table):
        return table.withColumn("d", F.col("c"))

    with pytest.raises(AnalysisException, match="`c`"):
        sneak(rows)


def test_a_promised_column_cannot_be_left_out(rows):
    @feature(needs={"table": ("a",)}, gives=("a", "d"))
    def forget(table):
        return table

    with pytest.raises(AnalysisException, match="`d`"):
        forget(rows)
