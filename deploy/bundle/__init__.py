"""The Databricks jobs, built from conf/pipeline.yml; the Databricks CLI loads them as deploy/databricks.yml says."""
