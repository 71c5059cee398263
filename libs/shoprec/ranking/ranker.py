"""The learned rankers: trees that give log-odds, and two numbers that turn them into probabilities."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import xgboost
from numpy.typing import NDArray

from shoprec.errors import ContractBroken
from shoprec.packed import Matrix, matrix_in
from shoprec.ranking.config import FEATURES, HABIT
from shoprec.ranking.offset import Offset

Vector = NDArray[np.float64]

#: The file of all that scoring needs beside the trees; those of each part lie in ``booster_file(part)``.
CARD = "ranker.json"


def booster_file(part: str) -> str:
    """The name of the file with the trees of a part: known (items bought before) or new (the others)."""
    return f"booster_{part}.json"


def logistic(odds: Vector) -> Vector:
    """Probabilities of log-odds, in (0, 1)."""
    return 1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0)))


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
        """The rows' ``FEATURES``, [rows, features] float32."""
        return matrix_in(rows, FEATURES, len(self.names))

    def margins(self, matrix: Matrix) -> Vector:
        """Log-odds of each row, before calibration; [rows]."""
        if not len(matrix):
            return np.empty(0)
        told = {"base_margin": self._offsets(matrix), "missing": np.nan}
        return self._booster.inplace_predict(matrix, predict_type="margin", **told).astype(np.float64)

    def probabilities(self, margins: Vector) -> Vector:
        """Calibrated probabilities of a purchase within the horizon, in (0, 1); [rows]."""
        return logistic(self.slope * margins + self.shift)

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
class Known:
    """The ranker of items that a user bought before, and what makes its margins comparable between users.

    odds = slope · margin + by_trips · log(trips) + shift, with the visits to be expected within the horizon.
    """

    ranker: Ranker
    slope: float
    by_trips: float
    shift: float

    def odds(self, matrix: Matrix, trips: NDArray[np.float32]) -> Vector:
        """Log-odds of a purchase within the horizon; [rows]."""
        return self.slope * self.ranker.margins(matrix) + self.by_trips * np.log(trips.astype(np.float64)) + self.shift


@dataclass(frozen=True)
class Rankers:
    """A ranker of the items that a user bought before and one of the others.

    Purchases of items that a user knows are many and follow habit, those of new items are few and follow taste: trees
    that learn from both at once learn the first. Where too little was bought again to learn from, ``known`` is None and
    ``new`` ranks all. Calibrated, the probabilities of both stand in one list.
    """

    known: Known | None
    new: Ranker

    @property
    def names(self) -> tuple[str, ...]:
        """The features of ``new``, in their order in the model."""
        return self.new.names

    def probabilities(self, matrix: Matrix, odds: NDArray[np.float32], known: NDArray[np.bool_]) -> Vector:
        """Calibrated probabilities of a purchase within the horizon, in [0, 1); [rows].

        :param matrix: what ``new`` sees; [rows, features]
        :param odds: what ``known`` said of the rows, NaN where it did not look: too seldom bought, and 0 here
        :param known: whether the user bought the row's item before
        """
        if self.known is None:
            return self.new.probabilities(self.new.margins(matrix))
        made = np.zeros(len(matrix))
        made[~known] = self.new.probabilities(self.new.margins(matrix[~known]))
        told = known & ~np.isnan(odds)
        made[told] = logistic(odds[told].astype(np.float64))
        return made

    def files(self, facts: Mapping[str, object]) -> dict[str, bytes]:
        """The rankers as files to save: name -> content. ``facts`` (JSON-able) are kept in the card."""
        calibration = {"new": {"slope": self.new.slope, "shift": self.new.shift}}
        if self.known is not None:
            calibration["known"] = {name: getattr(self.known, name) for name in _CALIBRATION}
        card = {
            "features": {part: list(one.names) for part, one in self._parts().items()},
            "calibration": calibration,
            "offset": {part: asdict(one.offset) for part, one in self._parts().items() if one.offset is not None},
            "sha256": {booster_file(part): one.digest for part, one in self._parts().items()},
            **facts,
        }
        boosters = {booster_file(part): one.booster_json for part, one in self._parts().items()}
        return {**boosters, CARD: json.dumps(card, indent=2, sort_keys=True).encode()}

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the trees of each part, hex, by ``ranker_<part>``."""
        return {f"ranker_{part}": one.digest for part, one in self._parts().items()}

    def _parts(self) -> dict[str, Ranker]:
        return {**({} if self.known is None else {"known": self.known.ranker}), "new": self.new}


_CALIBRATION = ("slope", "by_trips", "shift")


def load(files: Mapping[str, bytes]) -> Rankers:
    """The rankers saved as ``files`` (name -> content): the card, and the boosters that it names.

    :raises ContractBroken: the trees are not those that the card was written for
    """
    card = json.loads(files[CARD])
    loaded = {part: _loaded(files, card, part) for part in card["features"]}
    known = loaded.get("known")
    told = card["calibration"]
    return Rankers(Known(known, **told["known"]) if known is not None else None, replace(loaded["new"], **told["new"]))


def _loaded(files: Mapping[str, bytes], card: Mapping[str, Any], part: str) -> Ranker:
    name, offset = booster_file(part), card["offset"].get(part)
    ranker = Ranker(files[name], tuple(card["features"][part]), offset=Offset(**offset) if offset else None)
    if ranker.digest != card["sha256"][name]:
        raise ContractBroken(
            f"{name} has SHA-256 {ranker.digest}, its card says {card['sha256'][name]}: the file is damaged or "
            "of another run — make the run's recommendations again"
        )
    return ranker
