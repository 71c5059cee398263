"""The half of a round: every row of one side, solved against the vectors of the other."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from shoprec.models.als import kernels
from shoprec.models.als.blocks import Entries, Files, Floats, Vectors, together
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

    def solve(self, block: int, others: Vectors) -> tuple[Doubles, list[Share]]:
        """Solve a block's rows and write them: (the Gram matrix of their vectors, what its pieces say of other rows).

        :param others: the vectors that the block's entries name, or more
        :raises ValueError: the equations of a row have no single solution
        """
        whole, pieces = self.files.entries(block)
        # One task is one core; the library's own threads would wait for each other.
        with threadpool_limits(1, user_api="blas"):
            solved = self._solved(whole, others.of(whole.named), block)
            return self._kept(block, Vectors(whole.rows, solved)), self._shares(pieces, others.of(pieces.named))

    def join(self, block: int, shares: list[Share]) -> Doubles:
        """Solve the rows that stand in pieces and begin in this block, beside its others: the Gram matrix of all.

        :param shares: in an order that does not depend on which block was done first: sums of floats would
        """
        rows = np.array(sorted({share.row for share in shares}), np.int32)
        joint = np.array([self._joint([share for share in shares if share.row == row]) for row in rows.tolist()])
        solved = (
            self.files.vectors(self.number, block)
            if self.files.has_vectors(self.number, block)
            else Vectors.none(self.config.rank)
        )
        # A task that is done again finds what it wrote.
        own = ~np.isin(solved.rows, rows)
        parts = Vectors(solved.rows[own], solved.values[own]), Vectors(rows, joint.astype(np.float32))
        return self._kept(block, together(parts, self.config.rank))

    def _kept(self, block: int, vectors: Vectors) -> Doubles:
        self.files.write_vectors(self.number, block, vectors)
        return vectors.gram()

    def _solved(self, entries: Entries, vectors: Floats, block: int) -> npt.NDArray:
        ridge, excess = self.ridge(entries.counts()), self._excess(entries)
        if self.config.solver == "cholesky":
            return self._exact(entries, excess, vectors, ridge)
        solved = self.files.vectors(self.before, block).of(entries.rows)
        gram, ridge = self.gram.astype(np.float32), ridge.astype(np.float32)
        kernels.conjugate(entries.ends, entries.places, excess, vectors, gram, ridge, self.config.steps, solved)
        return solved

    def _exact(self, entries: Entries, excess: Floats, vectors: Floats, ridge: Doubles) -> npt.NDArray:
        # Single precision is enough for all but the worst conditioned: those fail, and are done again in double.
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
        return np.float32(self.config.alpha) * entries.weights
