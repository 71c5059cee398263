"""The learned ranker: trees that give log-odds, and two numbers that turn them into probabilities."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import xgboost
from numpy.typing import NDArray

from shoprec.errors import ContractBroken

Matrix = NDArray[np.float32]
Vector = NDArray[np.float64]

#: Files of a saved ranker: the trees, and all else that scoring needs.
BOOSTER, CARD = "booster.json", "ranker.json"


@dataclass(frozen=True)
class Ranker:
    """A booster's JSON, its columns in order, and the calibration p = 1 / (1 + exp(-(slope · margin + shift)))."""

    booster_json: bytes
    names: tuple[str, ...]
    slope: float = 1.0
    shift: float = 0.0

    @cached_property
    def _booster(self) -> xgboost.Booster:
        booster = xgboost.Booster(model_file=bytearray(self.booster_json))
        # A Spark task owns one core: trees of many small batches gain nothing from more threads.
        booster.set_param({"nthread": 1})
        return booster

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key != "_booster"}

    def matrix(self, rows: pa.Table | pa.RecordBatch) -> Matrix:
        """The rows' features, [rows, features] float32, nulls as NaN."""
        matrix = np.empty((rows.num_rows, len(self.names)), dtype=np.float32)
        for place, name in enumerate(self.names):
            matrix[:, place] = rows.column(name).to_numpy(zero_copy_only=False)
        return matrix

    def margins(self, matrix: Matrix) -> Vector:
        """Log-odds of each row as the trees give them, before calibration; [rows]."""
        if not len(matrix):
            return np.empty(0)
        return self._booster.inplace_predict(matrix, predict_type="margin", missing=np.nan).astype(np.float64)

    def probabilities(self, margins: Vector) -> Vector:
        """Calibrated probabilities of a purchase within the horizon, in (0, 1); [rows]."""
        return 1.0 / (1.0 + np.exp(-np.clip(self.slope * margins + self.shift, -30.0, 30.0)))

    def contributions(self, matrix: Matrix) -> Matrix:
        """What each feature adds to each row's log-odds, without the common bias; [rows, features].

        Differences of node values along each row's path (Saabas 2014): they sum to the margin, as Shapley values do, at
        about a hundredth of the cost.
        """
        if not len(matrix):
            return matrix
        # The columns are in the order of ``names``, whether the booster knows names (trained on Spark) or not.
        data = xgboost.DMatrix(matrix, missing=np.nan, nthread=1)
        return self._booster.predict(data, pred_contribs=True, approx_contribs=True, validate_features=False)[:, :-1]

    def files(self, facts: Mapping[str, object]) -> dict[str, bytes]:
        """The ranker as files to save: name -> content. ``facts`` (JSON-able) are kept in the card."""
        card = {
            "features": list(self.names),
            "calibration": {"slope": self.slope, "shift": self.shift},
            "sha256": {BOOSTER: self.digest},
            **facts,
        }
        return {BOOSTER: self.booster_json, CARD: json.dumps(card, indent=2, sort_keys=True).encode()}

    @property
    def digest(self) -> str:
        """SHA-256 of the trees, hex."""
        return hashlib.sha256(self.booster_json).hexdigest()


def load(files: Mapping[str, bytes]) -> Ranker:
    """The ranker saved as ``files`` (name -> content).

    :raises ContractBroken: the trees are not those that the card was written for
    """
    card = json.loads(files[CARD])
    calibration = card["calibration"]
    ranker = Ranker(files[BOOSTER], tuple(card["features"]), calibration["slope"], calibration["shift"])
    if ranker.digest != card["sha256"][BOOSTER]:
        raise ContractBroken(
            f"{BOOSTER} has SHA-256 {ranker.digest}, its card says {card['sha256'][BOOSTER]}: the file is damaged or "
            "of another run — make the run's recommendations again"
        )
    return ranker
