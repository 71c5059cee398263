"""The one place where a Spark session is made; a session that is there already is used as it is."""

import logging
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from py4j.java_gateway import JavaClass
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from shoprec import resources
from shoprec.config import Env
from shoprec.errors import ConfigError
from shoprec.usage import free_bytes

#: What Delta asks of a session.
DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}

#: Settings that the results, and the files that hold them, depend on: the same everywhere.
RESULTS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    # Files in any charset that Java knows, windows-1252 above all: Spark's own list is of eight.
    "spark.sql.legacy.javaCharsets": "true",
    # Whole numbers, of which a file says the range: Spark's own 96 bits are deprecated, and take longer.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}

#: Which line of Python made a column is told in no error unless the environment says true: for each column made PySpark
#: asks the JVM six times for it, and looks for IPython through all folders; that took longer than making the column.
UNTOLD = {"spark.python.sql.dataFrameDebugging.enabled": "false"}

#: Java classes that PySpark asks for at nearly every call.
KEPT = (
    "org.apache.spark.api.python.PythonUtils",
    "org.apache.spark.sql.api.python.PythonSQLUtils",
    "org.apache.spark.sql.functions",
)


def open_session(env: Env) -> tuple[SparkSession, bool]:
    """A session for ``env``, and whether this call started it (and may stop it).

    Under ``spark-submit`` and on Databricks the session exists or its JVM does: then the environment's settings of
    the master and of the JVM are theirs to make, and only those of SQL are set.

    :raises ConfigError: Java is missing, or the machine has less free memory than the environment asks for
    """
    _quiet_pyspark()
    there = SparkSession.getActiveSession()
    if there is None and "DATABRICKS_RUNTIME_VERSION" in os.environ:
        there = SparkSession.builder.getOrCreate()
    if there is not None:
        for key, value in {**_sql(env.spark), **RESULTS}.items():
            if there.conf.isModifiable(key):  # what a session was started with stays as it is
                there.conf.set(key, value)
        return there, False
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    if not submitted:
        check_java()
    check_memory(env.memory_gib)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("shoprec")
    for key, value in told(env, submitted).items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except PySparkException as error:
        raise ConfigError(f"Spark did not start: {error} — see the lines above") from error
    keep_classes(session)
    return session, True


def told(env: Env, submitted: bool) -> dict[str, str]:
    """What a new session is told. Under ``spark-submit`` the JVM is there: of the environment, SQL settings alone."""
    own = _sql(env.spark) if submitted else {**_places(env.files), **env.spark, **_quiet(env.spark)}
    return {**UNTOLD, **own, **DELTA, **RESULTS}


def keep_classes(spark: SparkSession) -> None:
    """Keep the classes of ``KEPT`` where PySpark asks for them, by their bare names or whole ones.

    Unkept, each call asks the JVM, which looks for a bare name through every jar: up to a millisecond. Where there is
    no context to tell (Spark Connect), nothing is done.
    """
    try:
        jvm = spark.sparkContext._jvm
    except PySparkException:
        return
    for name in KEPT:
        kept = getattr(jvm, name)
        # What another PySpark has elsewhere is taken for a package.
        if isinstance(kept, JavaClass):
            for asked in (name, name.rpartition(".")[2]):
                setattr(jvm, asked, kept)


def _quiet_pyspark() -> None:
    # It would put kilobytes of JSON, with the JVM's whole stack, before each error that is told in words.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)


def label_thread(spark: SparkSession, text: str) -> None:
    """Label what this thread does in Spark's UI, and give it a fair share of the cores beside other threads.

    Where there is no context to tell (Spark Connect), nothing is done.
    """
    try:
        context = spark.sparkContext
    except PySparkException:
        return
    context.setJobDescription(text)
    context.setLocalProperty("spark.scheduler.pool", text)


def check_java() -> None:
    """:raises ConfigError: no Java is to be found, in words that say how to get it."""
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (home and os.access(Path(home) / "bin/java", os.X_OK))):
        raise ConfigError(
            "Java is missing: Spark needs Java 17 on PATH or in JAVA_HOME — on Debian or Ubuntu: "
            "apt-get install openjdk-17-jre-headless"
        )


def check_memory(needed_gib: float) -> None:
    """:raises ConfigError: less memory is free than ``needed_gib``."""
    free = free_bytes() / 2**30
    if free < needed_gib:
        raise ConfigError(
            f"too little memory: {free:.1f} GiB are free, this environment asks for {needed_gib:g} GiB — close other "
            "programs, or choose smaller sizes (--set spark.driver.memory=… and --set memory_gib=…)"
        )


def _sql(settings: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in settings.items() if k.startswith(("spark.sql.", "spark.python.sql.", "spark.databricks."))}


def _places(files: str) -> dict[str, str]:
    # Spark ML's ALS cuts its lineage by checkpoints.
    return {
        "spark.checkpoint.dir": f"{files}/checkpoints",
        "spark.cleaner.referenceTracking.cleanCheckpoints": "true",
        "spark.sql.warehouse.dir": f"{files}/warehouse",
    }


def _quiet(told: Mapping[str, str]) -> dict[str, str]:
    # A log level set on the session comes too late for what Spark says while it starts.
    key, file = "spark.driver.extraJavaOptions", resources.conf_file("log4j2.properties")
    return {key: f"-Dlog4j2.configurationFile=file:{file} {told.get(key, '')}".strip()}
