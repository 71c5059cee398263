"""The half of a round: every row of one side, solved against the vectors of the other."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from shoprec.models.als import kernels
from shoprec.models.als.blocks import Entries, Files, Floats, Vectors, gathered
from shoprec.models.als.config import AlsConfig

Doubles = npt.NDArray[np.float64]

_SINGULAR = "the equations of a row have no single solution: raise als.regularisation"


@dataclass(frozen=True)
class Share:
    """What a block says of a row that is solved elsewhere: both sides of its equations, and how many entries."""

    row: int
    left: Doubles
    right: Doubles
    entries: int


@dataclass(frozen=True)
class Half:
    """What every task of a half round knows.

    :ivar blocks: how many either side has
    :ivar number: of the half round; its vectors are written under it
    :ivar before: the half round that last made vectors of this side
    :ivar gram: Y'Y of the vectors of the whole other side
    :ivar others: how many rows the other side has
    """

    config: AlsConfig
    files: Files
    blocks: int
    number: int
    before: int
    gram: Doubles
    others: int

    def ridge(self, entries: npt.NDArray) -> Doubles:
        """Lambda of rows with so many entries (Rendle et al. 2021, https://arxiv.org/abs/2110.14037, section 4.2)."""
        config = self.config
        count = entries + (self.others / config.alpha if config.regularise_unobserved else 0.0)
        return config.regularisation * count**config.regularisation_exponent

    def solve(self, block: int, others: Iterable[Vectors]) -> tuple[Doubles | None, list[Share]]:
        """Solve a block's rows and write them under its number.

        :param others: parts that together hold the vectors which the block's entries name
        :return: the Gram matrix of what was solved (None: nothing), and what the block's pieces say of other rows
        :raises ValueError: the equations of a row have no single solution
        """
        whole, pieces = self.files.entries(block)
        of_whole, of_pieces = gathered(others, self.config.rank, whole.named, pieces.named)
        # One task is one core; the library's own threads would wait for each other.
        with threadpool_limits(1, user_api="blas"):
            gram = None
            if len(whole.rows):
                solved = Vectors(whole.rows, self._solved(whole, of_whole, block))
                self.files.write_vectors(self.number, str(block), solved)
                gram = solved.gram()
            return gram, self._shares(pieces, of_pieces)

    def join(self, block: int, shares: list[Share]) -> Doubles:
        """Solve the rows that stand in pieces and begin in this block; they are written apart from its others.

        :param shares: in an order that does not depend on which block was done first: sums of floats would
        :return: the Gram matrix of these rows
        """
        rows = np.array(sorted({share.row for share in shares}), np.int32)
        joint = np.array([self._joint([share for share in shares if share.row == row]) for row in rows.tolist()])
        solved = Vectors(rows, joint.astype(np.float32))
        self.files.write_vectors(self.number, joint_name(block), solved)
        return solved.gram()

    def _solved(self, entries: Entries, vectors: Floats, block: int) -> npt.NDArray:
        ridge, excess = self.ridge(entries.counts()), self._excess(entries)
        if self.config.solver == "cholesky":
            return self._exact(entries, excess, vectors, ridge)
        (solved,) = gathered(self.files.vectors(self.before, [str(block)]), self.config.rank, entries.rows)
        gram, ridge = self.gram.astype(np.float32), ridge.astype(np.float32)
        kernels.conjugate(entries.ends, entries.places, excess, vectors, gram, ridge, self.config.steps, solved)
        return solved

    def _exact(self, entries: Entries, excess: Floats, vectors: Floats, ridge: Doubles) -> npt.NDArray:
        # Where single precision takes the equations for unsolvable, the block is done again in double.
        for kind in (np.float32, np.float64):
            given = (numbers.astype(kind) for numbers in (excess, vectors, self.gram, ridge))
            solved = np.zeros((len(entries.rows), self.config.rank), kind)
            try:
                kernels.exact(entries.ends, entries.places, *given, solved)
            except np.linalg.LinAlgError:
                continue
            return solved
        raise ValueError(_SINGULAR)

    def _shares(self, pieces: Entries, vectors: Floats) -> list[Share]:
        count, width = len(pieces.rows), self.config.rank
        left, right = np.zeros((count, width, width)), np.zeros((count, width))
        kernels.sums(pieces.ends, pieces.places, self._excess(pieces), vectors, left, right)
        shares = zip(pieces.rows.tolist(), left, right, pieces.counts().tolist(), strict=True)
        return [Share(*share) for share in shares]

    def _joint(self, shares: list[Share]) -> Doubles:
        ridge = self.ridge(np.array(sum(share.entries for share in shares)))
        left = sum((share.left for share in shares), self.gram + ridge * np.eye(self.config.rank))
        try:
            return np.linalg.solve(left, sum(share.right for share in shares))
        except np.linalg.LinAlgError as error:
            raise ValueError(_SINGULAR) from error

    def _excess(self, entries: Entries) -> Floats:
        with np.errstate(over="ignore"):
            excess = np.float32(self.config.alpha) * entries.weights
        if not np.isfinite(excess).all():
            raise ValueError(f"als.alpha times {entries.weights.max():g}, a weight, is beyond single precision")
        return excess


def joint_name(block: int) -> str:
    """The name under which a block writes the rows that it has put together from pieces."""
    return f"{block}_joint"
