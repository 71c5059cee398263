"""The planted shop of tests/contracts in a lake, for the jobs that make sources and candidates."""

from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyspark.sql import SparkSession

from shoprec.context import JobContext
from shoprec.contracts.gold import (
    CANDIDATES,
    ITEM_EMBEDDINGS,
    ITEM_INDEX,
    ITEM_NEIGHBOURS,
    SAMPLES,
    USER_EMBEDDINGS,
    USER_INDEX,
)
from shoprec.contracts.silver import INTERACTIONS, ITEMS
from shoprec.job import load_job
from shoprec.lake import Lake
from shoprec.settings import Settings
from tests.contracts.planted import AS_OF, Planted, lines, market
from tests.ready import make_ready
from tests.small_tables import add, put

RUN = {"as_of": AS_OF, "run_id": "run"}
GOLD = (USER_INDEX, ITEM_INDEX, SAMPLES, USER_EMBEDDINGS, ITEM_EMBEDDINGS, ITEM_NEIGHBOURS, CANDIDATES)


def planted_lake(spark: SparkSession, folder: Path) -> Lake:
    """A lake with the planted purchases, indexes and samples."""
    lake, shop = Lake(spark, str(folder / "lake")), Planted(spark)
    make_ready(lake, [INTERACTIONS, ITEMS, *GOLD])
    listed(lake, {f"i{item:03d}" for _, item, _ in lines()})
    add(lake, INTERACTIONS, [_FIXED | _event(*line) for line in lines()])
    for table, known in ((USER_INDEX, shop.user_index), (ITEM_INDEX, shop.item_index)):
        add(lake, table, known.toArrow().to_pylist(), **RUN, interactions=1)
    add(lake, SAMPLES, shop.samples.toArrow().to_pylist(), **RUN, origin="observed", label=1.0, interactions=1)
    return lake


def listed(lake: Lake, items: Iterable[str]) -> None:
    """Make these the catalogue."""
    put(lake, ITEMS, [_LISTED | {"item_id": item} for item in items])


_LISTED = {"domain": "food", "timeless": True, "valid_from": datetime(1970, 1, 1), "known_at": datetime(1970, 1, 1)}
_FIXED = {"domain": "food", "source": "till", "type": "purchase", "quantity": 1}


def _event(user: int, item: int, day: Any) -> dict[str, Any]:
    at = datetime.combine(day, time(10))
    key = f"{user}-{item}-{day}"
    return {
        "event_id": key,
        "event_key": key,
        "event_at": at,
        "known_at": at + timedelta(minutes=5),
        "market": market(user),
        "user_id": f"u{user:03d}",
        "item_id": f"i{item:03d}",
        "basket_id": f"b{user}-{day}",
        "month": f"{day:%Y-%m}",
    }


def run(
    lake: Lake, name: str, *, at: int = 0, beside: Mapping[str, Settings] = {}, shop: Any = None, **settings: Any
) -> JobContext:
    """Run one job for the planted day, ``at`` horizons from the run's; ``beside``: settings of other jobs."""
    job = load_job(name)
    env = SimpleNamespace(files=f"{lake.tables}_files")
    jobs = {**beside, name: job.settings(**settings)}
    told = SimpleNamespace(shop=shop, seed=5, horizon=14, env=env, jobs=jobs)
    job.run(context := JobContext(job, told, lake, AS_OF, "run", at))
    return context
