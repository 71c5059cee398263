"""The offset that the trees of known items add to: the log-odds that habit gives by itself.

Trees that learn only what habit leaves unexplained need few splits, where trees that must find its curve again, step by
step, blur it. XGBoost calls it the base margin.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.ranking.calibration import calibration, calibration_bins, collected
from shoprec.ranking.config import HABIT

#: Added to scores before the logarithm.
_LEAST = 1e-3


@dataclass(frozen=True)
class Offset:
    """log-odds = slope · log(max(score, 0) + ``_LEAST``) + shift; ``usual`` is their mean over what was learnt from."""

    slope: float
    shift: float
    usual: float

    def margins(self, matrix: NDArray[np.float32], names: Sequence[str]) -> NDArray[np.float32]:
        """Log-odds of each row of ``matrix`` [rows, features]; [rows] float32."""
        score = np.maximum(np.nan_to_num(matrix[:, names.index(HABIT)].astype(np.float64), nan=0.0), 0.0)
        return (self.slope * np.log(score + _LEAST) + self.shift).astype(np.float32)


def fit_offset(rows: DataFrame) -> Offset:
    """Logistic regression of the label on the logarithm of the score.

    :param rows: label, weight and ``HABIT``
    """
    told = rows.select(F.lit(0).alias("part"), _logarithm().alias("margin"), "label", "weight")
    bins = collected(calibration_bins(told))[0]
    slope, shift = calibration(bins)
    margin, weight, _ = np.asarray(bins, dtype=np.float64).T
    return Offset(slope, shift, float(np.average(slope * margin + shift, weights=weight)))


def _logarithm() -> Column:
    score = F.coalesce(F.nanvl(F.col(HABIT).cast("double"), F.lit(0.0)), F.lit(0.0))
    return F.log(F.greatest(score, F.lit(0.0)) + _LEAST)
