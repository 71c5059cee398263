"""The daemon from which Spark forks its Python workers, with what most of them use loaded once for all.

Spark's own daemon loads nothing: each worker then spends seconds of a core on its imports, and holds a copy of what it
loaded. ``spark.python.daemon.module`` names this one where the workers have the project installed.
"""

import numpy  # noqa: F401
import pandas  # noqa: F401
import pyarrow.compute  # noqa: F401
import pyspark.sql.pandas.serializers  # noqa: F401
import xgboost  # noqa: F401
from pyspark.daemon import manager

if __name__ == "__main__":
    manager()
