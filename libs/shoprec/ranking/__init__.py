"""Fusion of the sources' candidates: features, a learned and calibrated ranker, lists, and reasons in words."""
