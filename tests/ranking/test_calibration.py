"""Calibration: its bins, and the two numbers that it finds."""

import numpy as np
import pytest
from pyspark.sql import SparkSession

from shoprec.ranking.calibration import LEAST_SLOPE, calibration, calibration_bins


def test_bins_by_hand(spark: SparkSession) -> None:
    """0.01 and 0.02 share the bin at 0, 0.06 lies at 0.05, far margins are held at the edge, parts stay apart."""
    rows = [(0, 0.01, 1), (0, 0.02, 0), (0, 0.06, 1), (0, 55.0, 1), (0, 20.0, 0), (0, -99.0, 0), (1, 0.01, 0)]
    bins = calibration_bins(spark.createDataFrame(rows, "part int, margin double, label int")).collect()
    made = {(row["part"], round(row["margin"], 6)): (row["rows"], row["bought"]) for row in bins}
    assert made == {(0, 0.0): (2, 1), (0, 0.05): (1, 1), (0, 20.0): (2, 1), (0, -20.0): (1, 0), (1, 0.0): (1, 0)}


def test_calibration_finds_the_numbers_that_the_labels_were_drawn_with() -> None:
    """Bins hold the expected purchases of p = 1 / (1 + exp(-(2 m - 1))): the fit must give 2 and -1 back."""
    margin = np.arange(-60, 60) * 0.05
    rows = np.full(120, 1000.0)
    made = calibration(list(zip(margin, rows, rows / (1 + np.exp(-(2 * margin - 1))), strict=True)))
    assert made == pytest.approx((2.0, -1.0), abs=1e-3)


def test_calibration_never_turns_the_order_round() -> None:
    """Less was bought of what scored higher: the slope stays above 0, and the 12 purchases of 200 rows are expected."""
    slope, shift = calibration([(-1.0, 100.0, 10.0), (1.0, 100.0, 2.0)])
    assert slope == LEAST_SLOPE
    assert sum(100 / (1 + np.exp(-(slope * margin + shift))) for margin in (-1, 1)) == pytest.approx(12)
