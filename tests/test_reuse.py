"""Rows held for a block, and how many parts a shuffle makes."""

from types import SimpleNamespace

import pytest

from shoprec.reuse import dealt, on_disk, reused, shuffle_parts


@pytest.mark.parametrize(("hold", "in_memory"), [(reused, True), (on_disk, False)])
def test_rows_are_held_for_the_block_and_let_go_when_it_fails(spark, hold, in_memory):
    seen = []

    def fail():
        with hold(spark.range(10)) as held:
            seen.extend((held, held.storageLevel))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    held, level = seen
    assert (level.useDisk, level.useMemory) == (True, in_memory)
    assert not held.storageLevel.useDisk


def test_rows_of_equal_values_come_into_one_part(spark):
    rows = dealt(spark.range(100).selectExpr("id % 7 AS key"), "key")
    assert rows.rdd.getNumPartitions() == 2  # what the tests' session has
    assert rows.selectExpr("key", "spark_partition_id() AS part").distinct().count() == 7
    assert dealt(spark.range(100), "id", least=1).rdd.getNumPartitions() == 2
    assert dealt(spark.range(100), "id", least=9).rdd.getNumPartitions() == 9


@pytest.mark.parametrize(("told", "parts"), [("8", 8), ("auto", 200)])
def test_where_the_platform_chooses_there_are_as_many_parts_as_spark_has_unless_told(told, parts):
    spark = SimpleNamespace(conf={"spark.sql.shuffle.partitions": told})
    assert shuffle_parts(spark) == parts
