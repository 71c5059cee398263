"""What a user's days with an item say of the pair, beside the user's other items: the features of known items.

Letters of shapes as in ``histories``, and V visits (days of a user with any purchase), latest first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shoprec.ranking.config import HABIT
from shoprec.ranking.groups import Array, Indices, grouped, least
from shoprec.ranking.histories import Past
from shoprec.ranking.item_facts import RHYTHM
from shoprec.ranking.surroundings import LEVELS

#: The score of a habit, as buy_again makes it with its defaults: visits and gaps after which half is left, and what an
#: item that all come back to, and an item's usual gap, weigh.
_HALF_VISITS, _OVERDUE_GAPS, _ITEM_PULL, _GAP_PRIOR = 17.0, 6.0, 2.0, 2.0

_VISITS = (5, 10, 20)
_VISITS_MEMORIES = (5, 40)
_DAYS_MEMORIES = (14, 30, 60)

#: What a period counts of the one that followed it.
_PERIOD_MEMORY = 0.8

#: The features of a known item, in their order in the model; ``habit_features`` and what it calls say what they are.
NAMES: tuple[str, ...] = (
    HABIT, "pair_habit_share", "pair_days", "pair_age", "pair_first_age", "pair_gap", "pair_overdue",
    "pair_item_overdue", "pair_last_gap", "pair_gap_spread", "pair_usual_gap", "pair_due", "pair_hazard",
    "pair_visits", "pair_visit_gap", "pair_visit_rate", *(f"pair_last_visits_{n}" for n in _VISITS),
    *(f"pair_habit_{n}" for n in _VISITS_MEMORIES), *(f"pair_decayed_{n}" for n in _DAYS_MEMORIES),
    "pair_period_rate", "pair_periods", "pair_units", "pair_spend_share", "pair_visits_missed", "pair_visit_share",
    "pair_expected", "pair_lines_since", "pair_last_basket", "pair_basket_share",
    "subcategory_days", "subcategory_age", "subcategory_gap", "subcategory_due", "subcategory_part",
    "subcategory_part_now", "subcategory_best", "category_days", "brand_days",
    *(f"{level}_affinity" for level in LEVELS),
    *(f"item_{name}" for name in RHYTHM if name not in ("gap", "price")), "price_ratio",
)  # fmt: skip


@dataclass(frozen=True)
class _Visits:
    """The visits of each user: how many since each day of a pair, and what was bought on them."""

    since_D: Array
    lines_D: Array
    lines_since_D: Array
    count_U: Array
    recent_U: Array
    latest_U: Array
    first_U: Array


def _visits(then: Past, user_P: Indices) -> _Visits:
    user_D = then.each(user_P).astype(np.int64)
    span = int(then.age_D.max(initial=0)) + 1
    key_V, visit_D, lines_V = np.unique(
        user_D * span + then.age_D.astype(np.int64), return_inverse=True, return_counts=True
    )
    user_V, age_V = np.divmod(key_V, span)
    users = user_P.max(initial=-1) + 1
    count_U = np.bincount(user_V, minlength=users)
    start_U = np.cumsum(count_U) - count_U
    lines_before_V = np.cumsum(lines_V) - lines_V
    lines_before_V = lines_before_V - lines_before_V[np.minimum(start_U, len(key_V) - 1)][user_V]
    first_U = np.zeros(users)
    np.maximum.at(first_U, user_V, age_V)
    return _Visits(
        (np.arange(len(key_V)) - start_U[user_V])[visit_D].astype(np.float64),
        lines_V[visit_D].astype(np.float64),
        lines_before_V[visit_D].astype(np.float64),
        count_U.astype(np.float64),
        np.bincount(user_V, age_V <= 91, minlength=users),
        least(age_V.astype(np.float64), user_V),
        first_U,
    )


def habit_features(
    then: Past, user_P: Indices, item: Mapping[str, Array], levels: Mapping[str, Indices], horizon: int
) -> dict[str, Array]:
    """``NAMES`` and trips of each pair, NaN or infinite where nothing says it; [P]."""
    visits = _visits(then, user_P)
    days, age, first = then.days_P, then.latest_P, then.first_P
    habit_D = 0.5 ** (visits.since_D / _HALF_VISITS)
    usual_gap = (first - age + _GAP_PRIOR * item["gap"]) / (days - 1 + _GAP_PRIOR)
    score = (then.total(habit_D) + _ITEM_PULL * item["repeat_rate"]) / (1 + (age / (_OVERDUE_GAPS * usual_gap)) ** 2)
    first_visit = visits.since_D[then.start_P + days.astype(np.int64) - 1]
    visit_rate = days / (first_visit + 1)
    count_P, latest_P = visits.count_U[user_P], visits.latest_U[user_P]
    # A visit more than there was, in a week more: of few days little is sure.
    trips = (visits.recent_U + 1)[user_P] / (np.minimum(visits.first_U[user_P], 91) + 7) * horizon
    user_gap = np.where(count_P > 1, (visits.first_U[user_P] - latest_P) / (count_P - 1), np.nan)
    gap = np.where(days >= 2, (first - age) / (days - 1), np.nan)
    paid = then.total(then.paid_D)
    return {
        HABIT: score,
        "pair_habit_share": score / np.bincount(user_P, score)[user_P],
        "trips": trips,
        "pair_days": days,
        "pair_age": age,
        "pair_first_age": first,
        "pair_gap": gap,
        "pair_overdue": age / gap,
        "pair_item_overdue": age / item["repurchase_days"],
        "pair_usual_gap": usual_gap,
        "pair_due": age / usual_gap,
        **_gaps(then, gap, horizon),
        "pair_visits": visits.since_D[then.start_P],
        "pair_visit_gap": np.where(days >= 2, (first_visit - visits.since_D[then.start_P]) / (days - 1), np.nan),
        "pair_visit_rate": visit_rate,
        "pair_visits_missed": (age - latest_P) / user_gap,
        "pair_visit_share": days / count_P,
        # The chance of at least one purchase, were they spread over the visits by chance.
        "pair_expected": 1 - np.exp(-trips * visit_rate),
        **{f"pair_last_visits_{n}": then.total((visits.since_D < n).astype(np.float64)) for n in _VISITS},
        **{f"pair_habit_{n}": then.total(0.5 ** (visits.since_D / n)) for n in _VISITS_MEMORIES},
        **{f"pair_decayed_{n}": then.total(0.5 ** (then.age_D / n)) for n in _DAYS_MEMORIES},
        **_periods(then, horizon),
        "pair_units": then.total(then.units_D) / days,
        "pair_spend_share": paid / np.bincount(user_P, paid)[user_P],
        "pair_lines_since": visits.lines_since_D[then.start_P],
        "pair_last_basket": visits.lines_D[then.start_P],
        "pair_basket_share": then.total(1 / visits.lines_D) / days,
        **_levels(then, user_P, item, levels, habit_D, visits, score),
        **{f"item_{name}": item[name] for name in RHYTHM if name not in ("gap", "price")},
    }


def _gaps(then: Past, gap_P: Array, horizon: int) -> dict[str, Array]:
    """The pair's own gaps: the last, their spread over their mean, and how often one as long ended in the horizon."""
    gap_D = then.gap_D
    age_D = then.each(then.latest_P)
    square = then.total(np.nan_to_num(gap_D) ** 2) / np.maximum(then.days_P - 1, 1)
    survived = then.total((gap_D >= age_D).astype(np.float64))
    ended = then.total(((gap_D >= age_D) & (gap_D < age_D + horizon)).astype(np.float64))
    return {
        "pair_last_gap": gap_D[then.start_P],
        "pair_gap_spread": np.where(then.days_P >= 3, np.sqrt(np.maximum(square - gap_P**2, 0)) / gap_P, np.nan),
        "pair_hazard": (ended + 0.5) / (survived + 1),
    }


def _periods(then: Past, horizon: int) -> dict[str, Array]:
    """Of the periods of a horizon's length, those with a purchase: their share since the first, and faded."""
    period_D = (then.age_D - 1) // horizon
    opens_D = np.ones(len(period_D), dtype=np.bool_)
    opens_D[1:] = period_D[1:] != period_D[:-1]
    opens_D[then.start_P] = True
    # One period more than there were: what was bought in each of few is not sure to be bought in the next.
    begun_P = (then.first_P - 1) // horizon + 2
    return {
        "pair_period_rate": then.total(opens_D.astype(np.float64)) / begun_P,
        "pair_periods": then.total(opens_D * _PERIOD_MEMORY**period_D),
    }


def _levels(
    then: Past,
    user_P: Indices,
    item: Mapping[str, Array],
    levels: Mapping[str, Indices],
    habit_D: Array,
    visits: _Visits,
    score_P: Array,
) -> dict[str, Array]:
    """The pair's place among what the user bought of the same department, category, subcategory and brand."""
    decayed = then.total(0.5 ** (then.age_D / _DAYS_MEMORIES[-1]))
    of_user = np.bincount(user_P, decayed)[user_P]
    made = {}
    groups = {level: grouped(user_P, place) for level, place in levels.items()}
    for level, group_P in groups.items():
        known = levels[level] >= 0
        made[f"{level}_affinity"] = np.where(known, np.bincount(group_P, decayed)[group_P] / of_user, np.nan)
        if level in ("category", "brand"):
            made[f"{level}_days"] = np.where(known, np.bincount(group_P, then.days_P)[group_P], np.nan)
    spent, bought = (
        np.bincount(groups["category"], then.total(v))[groups["category"]] for v in (then.paid_D, then.priced_D)
    )
    made["price_ratio"] = np.where(levels["category"] >= 0, item["price"] / (spent / bought), np.nan)
    own = _subcategory(then, groups["subcategory"], item, habit_D, visits, score_P)
    known = levels["subcategory"] >= 0
    return made | {name: np.where(known, values, np.nan) for name, values in own.items()}


def _subcategory(
    then: Past, group_P: Indices, item: Mapping[str, Array], habit_D: Array, visits: _Visits, score_P: Array
) -> dict[str, Array]:
    """The user's rhythm with the subcategory, each day once, and the pair's part of it; [P]."""
    group_D = then.each(group_P).astype(np.int64)
    span = int(then.age_D.max(initial=0)) + 1
    key, first = np.unique(group_D * span + then.age_D.astype(np.int64), return_index=True)
    group, age = np.divmod(key, span)
    days = np.bincount(group)
    oldest = np.zeros(len(days))
    np.maximum.at(oldest, group, age)
    latest = least(age.astype(np.float64), group)
    gap = ((oldest - latest)[group_P] + _GAP_PRIOR * item["gap"]) / (days[group_P] - 1 + _GAP_PRIOR)
    best = -least(-score_P, group_P)
    now_D = 0.5 ** (visits.since_D / _VISITS_MEMORIES[0])
    return {
        "subcategory_days": days[group_P].astype(np.float64),
        "subcategory_age": latest[group_P],
        "subcategory_gap": gap,
        "subcategory_due": latest[group_P] / gap,
        "subcategory_part": then.total(habit_D) / np.bincount(group, habit_D[first])[group_P],
        "subcategory_part_now": then.total(now_D) / np.bincount(group, now_D[first])[group_P],
        "subcategory_best": score_P / best[group_P],
    }
