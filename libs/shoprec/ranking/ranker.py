"""The learned rankers: trees that give log-odds, and two numbers that turn them into probabilities."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import xgboost
from numpy.typing import NDArray

from shoprec.errors import ContractBroken
from shoprec.ranking.config import HABIT
from shoprec.ranking.offset import Offset

Matrix = NDArray[np.float32]
Vector = NDArray[np.float64]

#: What is ranked apart: items that the user bought before, and items new to the user.
PARTS = ("known", "new")

#: The file of all that scoring needs beside the trees; those of each part lie in ``booster_file(part)``.
CARD = "ranker.json"


def booster_file(part: str) -> str:
    """The name of the file with the trees of one of ``PARTS``."""
    return f"booster_{part}.json"


def matrix_of(rows: pa.Table | pa.RecordBatch, names: Sequence[str]) -> Matrix:
    """The columns ``names`` of the rows, [rows, names] float32, nulls as NaN."""
    matrix = np.empty((rows.num_rows, len(names)), dtype=np.float32)
    for place, name in enumerate(names):
        matrix[:, place] = rows.column(name).to_numpy(zero_copy_only=False)
    return matrix


@dataclass(frozen=True)
class Ranker:
    """A booster's JSON, its columns in order, and the calibration p = 1 / (1 + exp(-(slope · margin + shift))).

    The margin is what the trees add to ``offset``, or to their own bias where there is none.
    """

    booster_json: bytes
    names: tuple[str, ...]
    slope: float = 1.0
    shift: float = 0.0
    offset: Offset | None = None

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
        return matrix_of(rows, self.names)

    def margins(self, matrix: Matrix) -> Vector:
        """Log-odds of each row, before calibration; [rows]."""
        if not len(matrix):
            return np.empty(0)
        told = {"base_margin": self._offsets(matrix), "missing": np.nan}
        return self._booster.inplace_predict(matrix, predict_type="margin", **told).astype(np.float64)

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
        # The columns are in the order of ``names``, whether the booster knows names or not.
        offsets = self._offsets(matrix)
        data = xgboost.DMatrix(matrix, base_margin=offsets, missing=np.nan, nthread=1)
        made = self._booster.predict(data, pred_contribs=True, approx_contribs=True, validate_features=False)[:, :-1]
        if self.offset is not None:
            made[:, self.names.index(HABIT)] += offsets - self.offset.usual
        return made

    def _offsets(self, matrix: Matrix) -> NDArray[np.float32] | None:
        return None if self.offset is None else self.offset.margins(matrix, self.names)

    @property
    def digest(self) -> str:
        """SHA-256 of the trees, hex."""
        return hashlib.sha256(self.booster_json).hexdigest()


@dataclass(frozen=True)
class Rankers:
    """A ranker for the items that a user bought before and one for the items new to the user; it may be the same.

    Purchases of items that a user knows are many and follow habit, those of new items are few and follow taste: trees
    that learn from both at once learn the first. Calibrated, the probabilities of both stand in one list.
    """

    known: Ranker
    new: Ranker

    @property
    def names(self) -> tuple[str, ...]:
        """The features, in their order in both models."""
        return self.known.names

    def matrix(self, rows: pa.Table | pa.RecordBatch) -> Matrix:
        """The rows' features, [rows, features] float32, nulls as NaN."""
        return self.known.matrix(rows)

    def probabilities(self, matrix: Matrix) -> Vector:
        """Calibrated probabilities of a purchase within the horizon, in (0, 1); [rows]."""
        made = np.empty(len(matrix))
        for ranker, mine in self._parts(matrix):
            made[mine] = ranker.probabilities(ranker.margins(matrix[mine]))
        return made

    def contributions(self, matrix: Matrix) -> Matrix:
        """What each feature adds to each row's log-odds, by the row's own ranker; [rows, features]."""
        made = np.empty_like(matrix)
        for ranker, mine in self._parts(matrix):
            made[mine] = ranker.contributions(matrix[mine])
        return made

    def _parts(self, matrix: Matrix) -> tuple[tuple[Ranker, NDArray[np.bool_]], ...]:
        known = matrix[:, self.names.index("pair_days")] > 0
        return (self.known, known), (self.new, ~known)

    def files(self, facts: Mapping[str, object]) -> dict[str, bytes]:
        """The rankers as files to save: name -> content. ``facts`` (JSON-able) are kept in the card."""
        rankers = dict(zip(PARTS, (self.known, self.new), strict=True))
        card = {
            "features": list(self.names),
            "calibration": {part: {"slope": one.slope, "shift": one.shift} for part, one in rankers.items()},
            "offset": {part: asdict(one.offset) for part, one in rankers.items() if one.offset is not None},
            "sha256": {booster_file(part): one.digest for part, one in rankers.items()},
            **facts,
        }
        boosters = {booster_file(part): one.booster_json for part, one in rankers.items()}
        return {**boosters, CARD: json.dumps(card, indent=2, sort_keys=True).encode()}

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the trees of each part, hex, by ``ranker_<part>``."""
        return {"ranker_known": self.known.digest, "ranker_new": self.new.digest}


def load(files: Mapping[str, bytes]) -> Rankers:
    """The rankers saved as ``files`` (name -> content).

    :raises ContractBroken: the trees are not those that the card was written for
    """
    card = json.loads(files[CARD])
    return Rankers(*(_loaded(files, card, part) for part in PARTS))


def _loaded(files: Mapping[str, bytes], card: Mapping[str, Any], part: str) -> Ranker:
    name, calibration, offset = booster_file(part), card["calibration"][part], card["offset"].get(part)
    numbers = calibration["slope"], calibration["shift"], Offset(**offset) if offset else None
    ranker = Ranker(files[name], tuple(card["features"]), *numbers)
    if ranker.digest != card["sha256"][name]:
        raise ContractBroken(
            f"{name} has SHA-256 {ranker.digest}, its card says {card['sha256'][name]}: the file is damaged or "
            "of another run — make the run's recommendations again"
        )
    return ranker
