"""Retrieval: exact top-K over embeddings, neighbours of items, lists; all on Spark with numeric kernels over Arrow."""
