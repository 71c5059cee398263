"""What a session is told when it starts."""

import pytest
from py4j.java_gateway import JavaClass
from pyspark.sql import SparkSession

from shoprec.config import Env
from shoprec.session import KEPT, told


@pytest.mark.parametrize("name", KEPT)
def test_pyspark_need_not_ask_the_jvm_for_its_classes(spark: SparkSession, name: str) -> None:
    jvm = spark.sparkContext._jvm
    for asked in (name, name.rpartition(".")[2]):
        assert isinstance(vars(jvm)[asked], JavaClass)
        assert vars(jvm)[asked]._fqn == name


@pytest.mark.parametrize("submitted", [False, True])
def test_columns_are_told_with_their_line_of_python_only_where_the_environment_says_so(submitted: bool) -> None:
    setting, place = "spark.python.sql.dataFrameDebugging.enabled", {"tables": "lake", "files": "files"}
    assert told(Env(**place), submitted)[setting] == "false"
    assert told(Env(**place, spark={setting: True}), submitted)[setting] == "true"


def test_a_submitted_session_keeps_the_master_and_memory_of_its_cluster() -> None:
    own = {"spark.master": "local[2]", "spark.driver.memory": "1g", "spark.sql.shuffle.partitions": 3}
    made = told(Env(tables="lake", files="files", spark=own), submitted=True)
    assert made["spark.sql.shuffle.partitions"] == "3"
    assert not {"spark.master", "spark.driver.memory", "spark.driver.extraJavaOptions"} & made.keys()
