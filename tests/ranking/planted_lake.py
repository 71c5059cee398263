"""A small lake with all that the jobs recommendations and export read: users who buy their favourites again."""

from datetime import date, datetime, time, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np

from shoprec.context import JobContext
from shoprec.contracts import Table
from shoprec.contracts.gold import CANDIDATES, ITEM_EMBEDDINGS, ITEM_NEIGHBOURS, USER_EMBEDDINGS, USER_INDEX
from shoprec.contracts.gold_features import ITEM_FEATURES, USER_PROFILES
from shoprec.contracts.silver import INTERACTIONS, PROMOTIONS
from shoprec.exports.config import ExportConfig
from shoprec.job import load_job
from shoprec.lake import Lake
from shoprec.ranking.config import RankingConfig, Trees
from tests import small_tables
from tests.ready import make_ready
from tests.small_tables import filled

AS_OF, HORIZON, RUN = date(2024, 4, 1), 14, "run-1"
EARLIER = AS_OF - timedelta(days=HORIZON)
USERS, ITEMS, CATEGORIES = 150, 40, 4
NEAR = (1, 2, 3)  # an item's neighbours: the items of its category that follow it
SOURCES = ("item_knn", "buy_again", "als")  # als proposes nothing, and says of each candidate how well it matches
TREES = Trees(rounds=15, depth=3, learning_rate=0.1, min_child_weight=5, negative_share=0.5)
RANKING = RankingConfig(
    sources=SOURCES,
    k=20,
    workers=1,
    known=TREES,
    new=TREES,
    category_cap=8,
    half_life_days=30,
)


def context(lake: Lake, job: str, files: str, **more: Any) -> JobContext:
    """What ``job`` is given for the planted run; ``more`` are settings of the export."""
    told = SimpleNamespace(
        jobs={"recommendations": RANKING, "export": ExportConfig(**more)},
        horizon=HORIZON, seed=11, env=SimpleNamespace(files=files), shop=SimpleNamespace(name="planted"),
    )  # fmt: skip
    return JobContext(load_job(job), told, lake, AS_OF, RUN)


def purchases() -> list[tuple[str, str, date]]:
    """What was bought in the 84 days before the as-of date: four favourites about weekly, others seldom.

    Of the others every second is one whose neighbours hold a favourite.
    """
    rng = np.random.default_rng(8)
    bought = []
    for user in range(USERS):
        first = rng.integers(CATEGORIES)
        likely = [item for item in range(ITEMS) if item % CATEGORIES == first]
        favourites = rng.choice(likely, 4, replace=False)
        for age in range(1, 85):
            for item in favourites:
                if rng.random() < 1 / 7:
                    bought.append((f"u{user}", f"i{item}", AS_OF - timedelta(days=age)))
            if rng.random() < 0.1:
                near = (rng.choice(favourites) - CATEGORIES * rng.choice(NEAR)) % ITEMS
                other = near if rng.random() < 0.5 else rng.integers(ITEMS)
                bought.append((f"u{user}", f"i{other}", AS_OF - timedelta(days=age)))
    return sorted(set(bought))


def plant(lake: Lake, bought: list[tuple[str, str, date]]) -> None:
    """Write every table that the jobs read, for the as-of date and for one horizon earlier."""
    make_ready(lake, {*load_job("recommendations").reads, *load_job("recommendations").writes})
    months = sorted({day.isoformat()[:7] for _, _, day in bought})
    for month in months:
        rows = [event(*one) for one in bought if one[2].isoformat().startswith(month)]
        put(lake, INTERACTIONS, rows, month=month)
    put(lake, PROMOTIONS, promotions(), kind="in_store")
    for day in (EARLIER, AS_OF):
        known = [one for one in bought if one[2] < day]
        slot = {"as_of": day, "run_id": RUN}
        users = [{"user_id": f"u{i}", "market": "m", "user_idx": i} for i in range(USERS)]
        put(lake, USER_INDEX, users, **slot)
        put(lake, USER_PROFILES, [{**one, "baskets": 20, "gap_days": 3.0} for one in users], **slot)
        items = [
            {"item_id": f"i{i}", "name": f"Item {i}", "department": "food", "category": f"C{i % CATEGORIES}"}
            for i in range(ITEMS)
        ]
        put(lake, ITEM_FEATURES, items, **slot)
        for source, rows in candidates(known).items():
            put(lake, CANDIDATES, rows, source=source, **slot)
        for table, rows in vectors(known).items():
            put(lake, table, rows, model="als", **slot)
    near = [
        {"item_id": f"i{i}", "neighbour_id": f"i{(i + CATEGORIES * step) % ITEMS}", "similarity": 0.5, "support": 3,
         "rank": step}
        for i in range(ITEMS) for step in NEAR
    ]  # fmt: skip
    put(lake, ITEM_NEIGHBOURS, near, kind="similar", as_of=AS_OF, run_id=RUN)


def promotions() -> list[dict[str, Any]]:
    """i5 in the mailer of the week before the as-of date; i6 in that of the week after, told four days before it."""
    mailers = (("i5", AS_OF - timedelta(days=7), AS_OF - timedelta(days=20)), ("i6", AS_OF, AS_OF - timedelta(days=4)))
    return [
        {"item_id": item, "place": "s", "valid_from": _midnight(day), "valid_to": _midnight(day + timedelta(days=7)),
         "known_at": _midnight(known), "mailer": "A"}
        for item, day, known in (*mailers, ("i7", EARLIER - timedelta(days=14), EARLIER - timedelta(days=21)))
    ]  # fmt: skip


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def event(user: str, item: str, day: date, **more: Any) -> dict[str, Any]:
    """A purchase at noon of ``day``, known at once."""
    at = datetime.combine(day, time(12))
    key = f"{user}-{item}-{day}"
    return {"event_id": key, "event_key": key, "event_at": at, "known_at": at, "type": "purchase", "user_id": user,
            "item_id": item, "quantity": 1, "amount": 2, "month": day.isoformat()[:7], **more}  # fmt: skip


def vectors(known: list[tuple[str, str, date]]) -> dict[Table, list[dict[str, Any]]]:
    """Their dot product is how often the user bought in the item's category."""
    users = [{"user_id": f"u{i}", "vector": row.tolist()} for i, row in enumerate(_times(known)[1])]
    items = [{"item_id": f"i{i}", "vector": np.eye(CATEGORIES)[i % CATEGORIES].tolist()} for i in range(ITEMS)]
    return {USER_EMBEDDINGS: users, ITEM_EMBEDDINGS: items}


def _times(known: list[tuple[str, str, date]]) -> tuple[np.ndarray, np.ndarray]:
    """How often each user bought each item [USERS, ITEMS], and in each category [USERS, CATEGORIES]."""
    times = np.zeros((USERS, ITEMS))
    for user, item, _ in known:
        times[int(user[1:]), int(item[1:])] += 1
    members = [np.arange(ITEMS) % CATEGORIES == c for c in range(CATEGORIES)]
    return times, np.stack([times[:, member].sum(axis=1) for member in members], axis=1)


def candidates(known: list[tuple[str, str, date]]) -> dict[str, list[dict[str, Any]]]:
    """buy_again: what the user bought, by times; item_knn: how often its neighbours were bought, and noise."""
    rng = np.random.default_rng(len(known))
    times, _ = _times(known)
    nearby = sum(np.roll(times, -CATEGORIES * step, axis=1) for step in NEAR) + rng.random((USERS, ITEMS))
    return {"item_knn": _top(nearby, 24), "buy_again": _top(times, 12)}


def _top(scores: np.ndarray, size: int) -> list[dict[str, Any]]:
    rows = []
    for user, row in enumerate(scores):
        for place, item in enumerate(np.argsort(-row, kind="stable")[:size]):
            if row[item] > 0:
                rows.append(
                    {
                        "market": "m",
                        "user_id": f"u{user}",
                        "item_id": f"i{item}",
                        "score": float(row[item]),
                        "rank": place + 1,
                    }
                )
    return rows


def put(lake: Lake, table: Table, rows: list[dict[str, Any]], **values: Any) -> None:
    """Write ``rows`` as a slice; columns that a row does not name get a value that the contract allows."""
    small_tables.put(lake, table, (filled(table, row) for row in rows), **values)
