"""What one user's whole list and whole history say of each candidate: an Arrow kernel over the rows of one user.

The same sums as window functions would need a sort of all columns for every level of the catalogue; within one user
they are a few passes over short arrays. Letters of shapes: N rows of the user, of which C are candidates.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: What goes through untouched: who, what, where, the item's category as a number (null: none), and a hash that orders
#: ties.
KEYS = ("user_id", "item_id", "market", "category", "tie")

_LEVELS = ("department", "category", "subcategory", "brand")


def surround(rows: pa.Table, names: Sequence[str], sources: Sequence[str]) -> pa.Table:
    """The candidates among one user's ``rows`` with every feature: ``KEYS`` and ``names`` (float32); unknown is null.

    ``rows`` as of ``ranking.features.pair_rows``; those without proposals were bought, and only count in the sums.
    ``score_<source>`` becomes the place between the worst (0) and the best (1) of the user's list, 1 where all scores
    are equal.
    """
    chosen = np.flatnonzero(rows.column("proposals").to_numpy() > 0)
    given = {name: _floats(rows, name) for name in rows.column_names if name not in KEYS and name not in _LEVELS}
    made = {name: values[chosen] for name, values in given.items()}
    made |= {name: values[chosen] for name, values in _level_sums(rows, given).items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        made |= _ratios(made, given)
        for source in sources:
            made[f"score_{source}"] = _place(made[f"score_{source}"])
    made["best_rank"] = np.fmin.reduce(np.stack([made[f"rank_{source}"] for source in sources]))
    kept = rows.select(KEYS).take(pa.array(chosen))
    features = {name: pa.array(_finite(made[name]), pa.float32(), from_pandas=True) for name in names}
    return pa.table({**{name: kept.column(name) for name in KEYS}, **features})


def _floats(rows: pa.Table, name: str) -> Array:
    return rows.column(name).cast(pa.float64()).to_numpy()


def _finite(values: Array) -> NDArray[np.float32]:
    """``values`` as float32, with NaN for what a ratio to nothing gave."""
    return np.where(np.isfinite(values), values, np.nan).astype(np.float32)


def _place(scores_C: Array) -> Array:
    """Scores between the worst (0) and the best (1) of the list; NaN where there is none."""
    if np.isnan(scores_C).all():
        return scores_C
    low, high = np.nanmin(scores_C), np.nanmax(scores_C)
    return (scores_C - low) / (high - low) if high > low else np.where(np.isnan(scores_C), np.nan, 1.0)


def _level_sums(rows: pa.Table, given: Mapping[str, Array]) -> dict[str, Array]:
    """For each level of the catalogue, what the user bought at the row's place in it; [N], NaN: place unknown."""
    sums = {}
    age_N = np.nan_to_num(given["pair_age"], nan=np.inf)
    parts = {
        "decayed": given["pair_decayed"],
        "days": given["pair_days"],
        "paid": given["paid"],
        "units": given["units"],
        "items": (given["pair_days"] > 0).astype(np.float64),
    }
    for level in _LEVELS:
        column = rows.column(level)
        known_N = ~column.is_null().to_numpy()
        _, group_N = np.unique(column.fill_null(0).to_numpy(), return_inverse=True)
        groups = group_N.max(initial=-1) + 1
        for part, values_N in parts.items():
            total = np.bincount(group_N, weights=values_N * known_N, minlength=groups)[group_N]
            sums[f"{level}_{part}"] = np.where(known_N, total, np.nan)
        latest = np.full(groups, np.inf)
        np.minimum.at(latest, group_N[known_N], age_N[known_N])
        sums[f"{level}_age"] = np.where(known_N, latest[group_N], np.nan)
    return sums


def _ratios(made: Mapping[str, Array], given: Mapping[str, Array]) -> dict[str, Array]:
    """The pair against the user, the item and the levels; [C]. ``given``, of all N rows, is for the user's totals."""
    decayed, paid = given["pair_decayed"].sum(), given["paid"].sum()
    last_visit = np.fmin.reduce(given["pair_age"], initial=np.nan)
    days, age = made["pair_days"], made["pair_age"]
    gap = np.where(days >= 2, (made["pair_first_age"] - age) / (days - 1), np.nan)
    return {
        **{f"{level}_affinity": made[f"{level}_decayed"] / decayed for level in _LEVELS},
        **{f"{level}_part": made["pair_decayed"] / made[f"{level}_decayed"] for level in _LEVELS},
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
