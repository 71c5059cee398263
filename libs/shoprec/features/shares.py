"""How an owner's shares of names differ from the population's: the common ground of taste and season.

An Arrow kernel over whole owners. Letters of shapes: O owners; C cells, one for each name of an owner that has weight.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

#: One name that tells an owner from the population.
_ENTRY = pa.struct([("name", pa.string()), ("affinity", pa.float64()), ("share", pa.float64())])


def with_population(weights: DataFrame, *kind: str) -> DataFrame:
    """The rows of ``weights`` that have a name, with ``p``: the share that it has of the weights of all owners.

    :param weights: owner, name, weight and ``kind``: columns by which names are parted into worlds of their own
    """
    weights = weights.where(F.col("name").isNotNull())
    names = weights.groupBy(*kind, "name").agg(F.sum("weight").alias("of_name"))
    total = names.groupBy(*kind).agg(F.sum("of_name").alias("of_all"))
    shares = names.join(F.broadcast(total), on=list(kind)) if kind else names.join(F.broadcast(total), how="cross")
    shares = shares.select(*kind, "name", (F.col("of_name") / F.col("of_all")).alias("p"))
    return weights.join(shares, on=[*kind, "name"], how="inner")


@dataclass(frozen=True)
class Shares:
    """Each owner's shares of names beside those of all owners together.

    With w the owner's weight of a name, W of all names, p the population's share: the shrunk share is
    q = (w + prior p) / (W + prior), the affinity log(q / p). Weighted with W + prior, the owners' q / p have mean 1 for
    every name. Names that an owner never touched have q / p = prior / (W + prior), all the same.
    """

    owner_C: Indices
    name_C: pa.Array
    affinity_C: Array
    share_C: Array  #: w / W
    gain_C: Array  #: what the name adds to the divergence, q log(q / p)
    breadth_O: Array  #: exp of the entropy of w / W: effective number of names
    distance_O: Array  #: Kullback-Leibler divergence of q from p over all names, nats
    rest_O: Array  #: affinity of the names without weight

    @classmethod
    def of(cls, owner_C: Indices, owners: int, rows: pa.Table, prior: float) -> "Shares":
        """:param owner_C: the owner of each row, 0 to ``owners`` - 1; one without a row has breadth 1 and distance 0
        :param rows: name, weight (> 0), p (> 0), none of them null
        """
        w_C, p_C = (rows.column(name).to_numpy().astype(np.float64) for name in ("weight", "p"))
        own_O, covered_O = np.bincount(owner_C, w_C, owners), np.bincount(owner_C, p_C, owners)
        shrunk_C = (w_C + prior * p_C) / (own_O + prior)[owner_C]
        affinity_C = np.log(shrunk_C / p_C)
        gain_C, rest_O = shrunk_C * affinity_C, np.log(prior / (own_O + prior))
        uncovered_O = np.maximum(1 - covered_O, 0) * prior / (own_O + prior)
        share_C = w_C / own_O[owner_C]
        entropy_O = np.bincount(owner_C, -share_C * np.log(share_C), owners)
        distance_O = np.bincount(owner_C, gain_C, owners) + uncovered_O * rest_O
        return cls(
            owner_C, rows.column("name").combine_chunks(), affinity_C, share_C, gain_C,
            np.exp(np.maximum(entropy_O, 0)), np.maximum(distance_O, 0), rest_O,
        )  # fmt: skip

    def strongest(self, most: int) -> pa.ListArray:
        """Each owner's ``most`` names that add most to the divergence, ties by name: name, affinity, share; [O]."""
        place_C = pc.rank(self.name_C, tiebreaker="dense").to_numpy()
        # Rounded, so that sums that differ in their last bits do not change the order.
        order = np.lexsort((place_C, -np.round(self.gain_C, 9), self.owner_C))
        counts_O = np.bincount(self.owner_C, minlength=len(self.rest_O))
        starts_O = np.cumsum(counts_O) - counts_O
        kept = order[np.arange(len(order)) - starts_O[self.owner_C[order]] < most]
        fields = [self.name_C.take(pa.array(kept)), pa.array(self.affinity_C[kept]), pa.array(self.share_C[kept])]
        ends = np.concatenate([[0], np.cumsum(np.minimum(counts_O, most))])
        return pa.ListArray.from_arrays(
            pa.array(ends, pa.int32()), pa.StructArray.from_arrays(fields, fields=list(_ENTRY))
        )

    def affinity_of(self, name: str) -> Array:
        """Each owner's affinity of ``name``; [O]."""
        found_O = self.rest_O.copy()
        mine_C = pc.equal(self.name_C, name).to_numpy(zero_copy_only=False)
        found_O[self.owner_C[mine_C]] = self.affinity_C[mine_C]
        return found_O
