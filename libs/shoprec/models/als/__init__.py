"""Implicit matrix factorisation by Spark ML."""
