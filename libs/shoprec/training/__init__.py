"""Training of deep models: snapshots, the loop, collectives and launchers, checkpoints, the store of models, tracking.

Workers import from here without Spark and without Delta; `snapshot` alone, which writes, needs Spark.
"""
