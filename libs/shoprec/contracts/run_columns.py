"""The columns that say which run a gold row belongs to."""

from shoprec.contracts.core import Column

AS_OF = Column("as_of", "date", "the day that the row is made for: it knows what was known before")
RUN_ID = Column("run_id", "string", "the run that made the row; seen once the run stands in gold.runs")
