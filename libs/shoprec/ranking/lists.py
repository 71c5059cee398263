"""From scored candidates to a user's two lists: the seen-item policy, diversity, and what spoke for each item."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from shoprec.contracts.gold import LISTS
from shoprec.packed import Matrix, matrix_of, unpacked
from shoprec.ranking.config import ODDS, RankingConfig
from shoprec.ranking.features import TOLD
from shoprec.ranking.groups import Indices, codes, opening
from shoprec.ranking.ranker import Rankers, Vector
from shoprec.ranking.surroundings import surround
from shoprec.whole import of_whole

_IDS = ("user_id", "item_id", "market")

#: Facts that reasons are made of; they travel with the rows that are kept.
FACTS = (
    "pair_days", "pair_age", "pair_gap", "category_days", "category_age", "brand_days", "price_ratio",
    "item_display_now", "item_mailer_now", "item_mailer_ahead", "item_discount_frequency",
    "item_users_28d", "item_trend_28d",
)  # fmt: skip

#: The family of each feature, by how its name begins; the first that fits. Sources named nowhere are matters of taste.
_FAMILIES = (
    ("user_", ""), ("proposals", ""), ("best_rank", ""),
    ("score_buy_again", "repeat"), ("rank_buy_again", "repeat"), ("pair_", "repeat"),
    ("score_item_knn", "similar"), ("rank_item_knn", "similar"),
    ("score_popular", "popular"), ("rank_popular", "popular"),
    ("score_trending", "trend"), ("rank_trending", "trend"), ("item_trend", "trend"),
    ("score_", "taste"), ("rank_", "taste"),
    ("item_display", "offer"), ("item_mailer", "offer"), ("item_promotion", "offer"), ("item_discount", "offer"),
    ("item_coupon", "offer"), ("item_rival", "offer"), ("price_", "price"), ("item_price", "price"),
    ("item_", "popular"), ("brand_", "brand"),
    ("department_", "category"), ("category_", "category"), ("subcategory_", "category"),
)  # fmt: skip


def choose(scores: Vector, groups: Indices, ties: Indices, k: int, discount: float, cap: int) -> Indices:
    """The places of at most ``k`` candidates, best first: a pure function of the candidates, whatever their order.

    Greedy: the next is always the one with the highest score · (1 - discount)^n, n being how many of its group are in
    the list already; a group gives ``cap`` items at most. As a group's own items come in order of score, the j-th
    best of a group is met with n = j - 1, so one sort gives what the greedy search would. Group -1 (none known) is
    never held back.

    :param scores: probabilities; ``groups``: category numbers, -1 for none; ``ties``: hashes that order equal scores
    """
    by_group = np.lexsort((ties, -scores, groups))
    sorted_groups = groups[by_group]
    starts = opening(sorted_groups)
    lengths = np.diff(np.r_[starts, len(groups)])
    before = np.empty(len(groups), dtype=np.int64)
    before[by_group] = np.arange(len(groups)) - np.repeat(starts, lengths)
    before[groups == -1] = 0
    allowed = np.flatnonzero(before < cap)
    worth = scores * (1.0 - discount) ** before
    order = np.lexsort((ties[allowed], -scores[allowed], -worth[allowed]))
    return allowed[order[:k]]


def families(contributions: NDArray[np.float32], names: Sequence[str]) -> list[list[str]]:
    """For each row, the families of features that spoke for the item, strongest first."""
    kinds = sorted({kind for name in names if (kind := family(name))})
    member = np.array([[family(name) == kind for kind in kinds] for name in names], dtype=np.float32)
    totals = contributions @ member
    order = np.argsort(-totals, axis=1, kind="stable")
    return [[kinds[i] for i in row if totals[r, i] > 0] for r, row in enumerate(order)]


def family(name: str) -> str:
    """The kind of reason that a feature belongs to; '' for what is the same for all of a user's candidates."""
    return next((kind for start, kind in _FAMILIES if name.startswith(start)), "taste")


@dataclass(frozen=True)
class ListMaker:
    """Turns users' candidates into rows of both lists."""

    rankers: Rankers
    settings: RankingConfig

    def __call__(self, rows: pa.Table) -> pa.Table:
        """The rows of whole users, as of ``pair_rows`` but unpacked, in; the kept rows of both lists out."""
        rows = surround(rows, (*self.rankers.names, ODDS), self.settings.sources)
        matrix = matrix_of(rows, self.rankers.names)
        bought = rows.column("pair_days").to_numpy() > 0
        scores = self.rankers.probabilities(matrix, rows.column(ODDS).to_numpy(), bought)
        kept = [(name, best) for name in LISTS for best in self._choose(rows, scores, name)]
        places = np.concatenate([np.empty(0, np.int64), *(best for _, best in kept)])
        ranks = [np.arange(1, len(best) + 1) for _, best in kept]
        carried = rows.select(carried_columns(self.settings.sources)).take(pa.array(places))
        made = {
            "list": pa.array([name for name, best in kept for _ in best], pa.string()),
            "rank": pa.array(np.concatenate([np.empty(0, np.int64), *ranks]), pa.int32()),
            "score": pa.array(scores[places]),
            "families": self._why(matrix, places, bought),
        }
        for name, values in made.items():
            carried = carried.append_column(name, values)
        return carried

    def _why(self, matrix: Matrix, places: Indices, bought: NDArray[np.bool_]) -> pa.Array:
        """What spoke for each of the ``places``; null for known items where they have another ranker."""
        mine = places if self.rankers.known is None else places[~bought[places]]
        distinct, inverse = np.unique(mine, return_inverse=True)
        said = families(self.rankers.new.contributions(matrix[distinct]), self.rankers.names)
        why: list[list[str] | None] = [None] * len(places)
        for place, i in zip(np.flatnonzero(np.isin(places, distinct)), inverse, strict=True):
            why[place] = said[i]
        return pa.array(why, pa.list_(pa.string()))

    def _choose(self, rows: pa.Table, scores: Vector, name: str) -> list[Indices]:
        """The places of each user's list in ``rows``, best first."""
        groups = rows.column("category").fill_null(-1).to_numpy()
        ties = rows.column("tie").to_numpy()
        allowed, s = np.arange(rows.num_rows), self.settings
        new = rows.column("pair_days").to_numpy() == 0
        if name == "discovery":
            allowed = np.flatnonzero(new)
        elif self.rankers.known is not None:
            scores = np.where(new, s.new_weight * scores, scores)
        user = codes(rows.column("user_id"))[allowed]
        by_user = allowed[np.argsort(user, kind="stable")]
        lists = np.split(by_user, np.cumsum(np.bincount(user))[:-1]) if len(user) else []
        return [
            own[choose(scores[own], groups[own], ties[own], s.k, s.category_discount, s.category_cap)] for own in lists
        ]


def carried_columns(sources: Sequence[str]) -> list[str]:
    """Columns that the kept rows bring along: who, what, where, the sources' ranks, and the facts of the reasons."""
    return [*_IDS, *(f"rank_{source}" for source in sources), *FACTS]


def lists(rows: DataFrame, rankers: Rankers, settings: RankingConfig) -> DataFrame:
    """Both lists of every user: carried columns, list, rank, score and families (array<string>, strongest first; null
    for items bought before, where they have a ranker of their own).

    ``rows`` as of ``ranking.features.pair_rows``: features are made, scored and cut to the lists in one kernel, so
    that the wide rows never leave it. The list 'discovery' holds only items that the user never bought; a user with
    no such candidate has none.
    """
    floats = carried_columns(settings.sources)[len(_IDS) :]
    schema = ", ".join([
        *(f"{name} string" for name in _IDS), *(f"{name} float" for name in floats),
        "list string", "rank int", "score double", "families array<string>",
    ])  # fmt: skip
    maker = ListMaker(rankers, settings)

    def make(rows: pa.Table) -> pa.Table:
        return maker(unpacked(rows, TOLD))

    return of_whole(rows, "user_id", "tie", make, schema)
