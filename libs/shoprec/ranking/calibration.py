"""Calibration: from the trees' log-odds to probabilities, by out-of-fold scores."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.optimize import brentq
from sklearn.linear_model import LogisticRegression

Vector = NDArray[np.float64]

#: Width of a bin, in log-odds. Margins beyond ±``BIN_EDGE`` share the outermost: at most 801 bins.
BIN_WIDTH = 0.05
BIN_EDGE = 20.0

#: Least slope. Of few purchases, folds that hold more of them leave fewer to the trees that score them, so that margins
#: can seem to say the contrary of what they say within a list; turned round, the best would stand last.
LEAST_SLOPE = 0.05


def calibration_bins(scored: DataFrame) -> DataFrame:
    """What the calibration of each part is fitted to: part, margin (a bin's centre), rows, bought.

    ``scored``: part, margin, label and, where rows stand for more than one, weight. At most 801 rows a part, whatever
    the data: few enough for the driver.
    """
    weight = F.col("weight") if "weight" in scored.columns else F.lit(1.0)
    held = F.greatest(F.lit(-BIN_EDGE), F.least(F.lit(BIN_EDGE), F.col("margin")))
    centre = F.round(held / BIN_WIDTH) * BIN_WIDTH
    return scored.groupBy("part", centre.alias("margin")).agg(
        F.sum(weight).cast("double").alias("rows"), F.sum(F.col("label") * weight).cast("double").alias("bought")
    )


def collected(bins: DataFrame) -> dict[Any, list[tuple[float, float, float]]]:
    """``calibration_bins`` on the driver: part -> (margin, rows, bought), by margin."""
    found: dict[Any, list[tuple[float, float, float]]] = defaultdict(list)
    for part, *one in sorted(tuple(row) for row in bins.select("part", "margin", "rows", "bought").collect()):
        found[part].append(tuple(one))
    return found


def calibration(bins: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Slope and shift that turn margins into log-odds, fitted to ``bins``: (margin, rows, bought), scores out of fold.

    It keeps the order of all rows, also where they say that it should be the other way round: a slope below
    ``LEAST_SLOPE`` is held there, and as many purchases as there were are to be expected.
    """
    margin, rows, bought = np.asarray(bins, dtype=np.float64).T
    (slope,), shift = regression(margin[:, None], rows, bought)
    if slope >= LEAST_SLOPE:
        return slope, shift

    def surplus(shift: float) -> float:
        return float(rows @ (1 / (1 + np.exp(-(LEAST_SLOPE * margin + shift)))) - bought.sum())

    return LEAST_SLOPE, float(brentq(surplus, -50.0, 50.0))


def regression(told: NDArray[np.float64], rows: Vector, bought: Vector) -> tuple[list[float], float]:
    """Weights and shift of the logistic regression (Platt 1999) of purchases on what is ``told`` of each bin.

    :param told: [bins, columns]; ``rows`` and of them ``bought``: [bins]
    """
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    labels = np.repeat([1, 0], len(told))
    model.fit(np.tile(told, (2, 1)), labels, sample_weight=np.concatenate([bought, rows - bought]))
    return [float(weight) for weight in model.coef_[0]], float(model.intercept_[0])
