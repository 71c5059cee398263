"""Implicit matrix factorisation on Spark."""
