"""Settings of Spark for little data and many plans: time would go into compiling code that is hardly run."""

#: Without the JVM's second compiler, and with the collector that never works beside the program.
JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"

#: Without code of Spark's own making, and each query planned once: a third of the time went into planning small queries
#: anew after each of their stages. No column is told with the line that made it, which takes six calls of the JVM.
PLAIN = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.ui.explainMode": "simple",
    "spark.python.sql.dataFrameDebugging.enabled": "false",
}

#: Small files are read in one task, not one a core: a task makes its code anew, however few its rows.
ONE_TASK = {"spark.sql.files.minPartitionNum": "1", "spark.sql.leafNodeDefaultParallelism": "1"}
