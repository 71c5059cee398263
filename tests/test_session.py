"""What a session is told when it starts."""

import pytest
from py4j.java_gateway import JavaClass
from pyspark.sql import SparkSession

from shoprec.session import KEPT


@pytest.mark.parametrize("name", KEPT)
def test_pyspark_need_not_ask_the_jvm_for_its_classes(spark: SparkSession, name: str) -> None:
    jvm = spark.sparkContext._jvm
    for asked in (name, name.rpartition(".")[2]):
        assert isinstance(vars(jvm)[asked], JavaClass)
        assert vars(jvm)[asked]._fqn == name
