"""What a session is told when it starts."""

import pytest
from pyspark.sql import SparkSession

from shoprec.session import NAMED


@pytest.mark.parametrize("name", NAMED)
def test_pyspark_finds_its_classes_where_they_are_said_to_be(spark: SparkSession, name: str) -> None:
    found = getattr(spark.sparkContext._jvm, name.rpartition(".")[2])
    assert found._fqn == name
