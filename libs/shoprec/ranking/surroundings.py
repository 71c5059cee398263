"""What users' whole lists and whole histories say of each candidate: an Arrow kernel over the rows of whole users.

The same sums as window functions would need a sort of all columns for every level of the catalogue; here they are a few
passes over arrays of many users at a time. Letters of shapes: N rows, of which C are candidates, of U users.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from shoprec.ranking.config import HABIT
from shoprec.ranking.groups import Array, Indices, codes, codes_or_none, finite, grouped, least

#: What goes through untouched: who, what, where, the item's category as a number (null: none), and a hash that orders
#: ties.
KEYS = ("user_id", "item_id", "market", "category", "tie")

#: The levels of the catalogue; rows have a number for their place in each, null where the shop does not say.
LEVELS = ("department", "category", "subcategory", "brand")

#: Days after which the first purchase of an item counts half among those of its subcategory.
_FIRSTS_HALVED = 60.0

#: Purchases spread like the shop's that are added to a user's before their lift is told.
_LIFT_PRIOR = 30.0

#: The sums over a user's purchases at a level that features are made of.
_SUMS = frozenset({
    "department_decayed", "brand_decayed", "brand_days", "line_items",
    *(f"category_{part}" for part in ("decayed", "days", "age", "items", "paid", "units")),
    *(f"subcategory_{part}" for part in ("decayed", "days", "age", "firsts")),
})  # fmt: skip


def surround(rows: pa.Table, names: Sequence[str], sources: Sequence[str]) -> pa.Table:
    """The candidates among the ``rows`` of whole users with every feature: ``KEYS`` and ``names`` (float32).

    ``rows`` as of ``ranking.features.pair_rows``; those without proposals were bought, and only count in the sums.
    ``score_<source>`` becomes the place between the worst (0) and the best (1) of the user's list, 1 where all scores
    are equal; ``HABIT`` is the score of buy_again as it was, and ``match_<model>`` the dot product as it was: placed in
    the list, it told the trees less on the days that they were tried on. What is unknown is null.
    """
    chosen = np.flatnonzero(rows.column("proposals").to_numpy() > 0)
    user_N = codes(rows.column("user_id"))
    given = {name: _floats(rows, name) for name in rows.column_names if name not in KEYS and name not in LEVELS}
    made = {name: values[chosen] for name, values in given.items()}
    made |= {name: values[chosen] for name, values in _level_sums(rows, given, user_N).items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        made |= _ratios(made, given, user_N, user_N[chosen])
        made[HABIT] = made.get("score_buy_again", np.full(len(chosen), np.nan))
        for source in sources:
            made[f"score_{source}"] = _place(made[f"score_{source}"], user_N[chosen])
    made["best_rank"] = np.fmin.reduce(np.stack([made[f"rank_{source}"] for source in sources]))
    kept = rows.select(KEYS).take(pa.array(chosen))
    features = {name: pa.array(finite(made[name]), pa.float32(), from_pandas=True) for name in names}
    return pa.table({**{name: kept.column(name) for name in KEYS}, **features})


def _floats(rows: pa.Table, name: str) -> Array:
    return rows.column(name).cast(pa.float64()).to_numpy()


def _place(scores_C: Array, user_C: Indices) -> Array:
    """Scores between the worst (0) and the best (1) of each user's list; NaN where there is none."""
    low_C = least(scores_C, user_C)[user_C]
    high_C = -least(-scores_C, user_C)[user_C]
    return np.where(high_C > low_C, (scores_C - low_C) / (high_C - low_C), np.where(np.isnan(scores_C), np.nan, 1.0))


def _level_sums(rows: pa.Table, given: Mapping[str, Array], user_N: Indices) -> dict[str, Array]:
    """For each level of the catalogue, what the user bought at the row's place in it; [N], NaN: place unknown."""
    parts = {
        "decayed": given["pair_decayed"],
        "days": given["pair_days"],
        "paid": given["paid"],
        "units": given["units"],
        "items": (given["pair_days"] > 0).astype(np.float64),
        "firsts": np.nan_to_num(0.5 ** (given["pair_first_age"] / _FIRSTS_HALVED)),
    }
    levels = {level: codes_or_none(rows, level) for level in LEVELS}
    # A line: what one maker has of one subcategory.
    known = (levels["subcategory"] >= 0) & (levels["brand"] >= 0)
    line_N = levels["subcategory"] * (levels["brand"].max(initial=0) + 1) + levels["brand"]
    levels["line"] = np.where(known, line_N, -1)
    sums = {}
    for level, place_N in levels.items():
        known_N = place_N >= 0
        group_N = grouped(user_N, place_N)
        for part, values_N in parts.items():
            if f"{level}_{part}" in _SUMS:
                total = np.bincount(group_N, weights=values_N * known_N)[group_N] if len(group_N) else values_N
                sums[f"{level}_{part}"] = np.where(known_N, total, np.nan)
        if f"{level}_age" in _SUMS:
            age_N = np.where(known_N, given["pair_age"], np.nan)
            sums[f"{level}_age"] = np.where(known_N, least(age_N, group_N)[group_N], np.nan)
    return sums


def _ratios(
    made: Mapping[str, Array], given: Mapping[str, Array], user_N: Indices, user_C: Indices
) -> dict[str, Array]:
    """The pair against the user, the item and the levels; [C]. ``given``, of all N rows, is for the user's totals."""
    decayed = np.bincount(user_N, weights=given["pair_decayed"])[user_C]
    paid = np.bincount(user_N, weights=given["paid"])[user_C]
    last_visit = least(given["pair_age"], user_N)[user_C]
    bought = np.bincount(user_N, weights=given["pair_days"])[user_C]
    days, age = made["pair_days"], made["pair_age"]
    gap = np.where(days >= 2, (made["pair_first_age"] - age) / (days - 1), np.nan)
    usual = made["item_subcategory_share"]
    return {
        **{f"{level}_affinity": made[f"{level}_decayed"] / decayed for level in LEVELS},
        **{f"{level}_part": made["pair_decayed"] / made[f"{level}_decayed"] for level in ("category", "subcategory")},
        # The subcategory's share of the user's purchases over its share of the shop's.
        "subcategory_lift": np.log((made["subcategory_days"] / usual + _LIFT_PRIOR) / (bought + _LIFT_PRIOR)),
        "pair_gap": gap,
        "pair_overdue": age / gap,
        "pair_item_overdue": age / made["item_repurchase_days"],
        "pair_units": made["units"] / days,
        "pair_spend_share": made["paid"] / paid,
        "pair_visits_missed": (age - last_visit) / made["user_gap_days"],
        "pair_visit_share": days / made["user_baskets"],
        "price_ratio": made["item_price"] / (made["category_paid"] / made["category_units"]),
        "price_gap": made["item_price_level"] - made["user_price_level"],
    }
