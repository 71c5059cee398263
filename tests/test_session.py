"""What a session is told when it starts."""

import pytest
from pyspark.sql import SparkSession

from shoprec.session import NAMED


@pytest.mark.parametrize("name", NAMED)
def test_pyspark_finds_its_classes_where_they_are_said_to_be(spark: SparkSession, name: str) -> None:
    jvm = spark.sparkContext._jvm
    for asked in (name, name.rpartition(".")[2]):
        assert vars(jvm)[asked] is getattr(jvm, asked)
        assert getattr(jvm, asked)._fqn == name
