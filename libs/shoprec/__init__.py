"""shoprec: search and recommendation for shops, on Spark, Delta and Horovod."""

__version__ = "0.1.0"
