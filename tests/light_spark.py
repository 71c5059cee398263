"""Settings of Spark for little data and many plans: time would go into compiling code that is hardly run."""

_PLAIN_JVM = "-XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"

#: For minutes of work: without the JVM's second compiler, and with the collector that never works beside the program.
JVM = f"{_PLAIN_JVM} -XX:TieredStopAtLevel=1"

#: For the half hour of the shared session: with the second compiler for what runs four times as often as usual. A small
#: job that has run before then takes two thirds of the time; the first one takes half as much again.
LONG_JVM = (
    f"{_PLAIN_JVM} -XX:Tier4InvocationThreshold=20000 -XX:Tier4MinInvocationThreshold=2400"
    " -XX:Tier4CompileThreshold=60000 -XX:Tier4BackEdgeThreshold=160000"
)

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
