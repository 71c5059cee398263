"""The planted shop of tests/contracts in a lake, for the jobs that make sources and candidates."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

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
from tests.contracts.planted import AS_OF, Planted, lines, market
from tests.ready import make_ready

RUN = {"as_of": AS_OF, "run_id": "run"}
GOLD = (USER_INDEX, ITEM_INDEX, SAMPLES, USER_EMBEDDINGS, ITEM_EMBEDDINGS, ITEM_NEIGHBOURS, CANDIDATES)


def planted_lake(spark: SparkSession, folder: Path) -> Lake:
    """A lake with the planted purchases, indexes and samples."""
    lake, shop = Lake(spark, str(folder / "lake")), Planted(spark)
    make_ready(lake, [INTERACTIONS, ITEMS, *GOLD])
    listed(lake, {f"i{item:03d}" for _, item, _ in lines()})
    columns = [f"{c.name} {c.type}" for c in INTERACTIONS.columns if c.name in _event(0, 0, AS_OF)]
    rows = [_event(*line) for line in lines()]
    events = spark.createDataFrame([tuple(row.values()) for row in rows], ", ".join(columns))
    missing = [c for c in INTERACTIONS.columns if c.name not in events.columns]
    events = events.withColumns({c.name: F.lit(_FIXED.get(c.name)).cast(c.type) for c in missing})
    events.select(*INTERACTIONS.names).write.format("delta").mode("append").save(lake.location(INTERACTIONS))
    lines_of = F.lit(1).cast("long").alias("interactions")
    lake.replace(shop.user_index.select("*", lines_of), USER_INDEX, **RUN)
    lake.replace(shop.item_index.select("*", lines_of), ITEM_INDEX, **RUN)
    samples = shop.samples.select("*", F.lit(1.0).alias("label"), F.lit(1).alias("interactions"))
    lake.replace(samples, SAMPLES, **RUN, origin="observed")
    return lake


def listed(lake: Lake, items: Iterable[str]) -> None:
    """Make these the catalogue."""
    rows = lake.spark.createDataFrame([(item,) for item in items], "item_id string")
    columns = {c.name: F.lit(_LISTED.get(c.name)).cast(c.type) for c in ITEMS.columns if c.name != "item_id"}
    lake.replace_audited(rows.withColumns(columns).select(*ITEMS.names), ITEMS)


_LISTED = {"domain": "food", "timeless": True, "valid_from": "1970-01-01", "known_at": "1970-01-01"}
_FIXED = {"domain": "food", "source": "till", "type": "purchase", "quantity": "1"}


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


def run(lake: Lake, name: str, **settings: Any) -> JobContext:
    """Run one job for the planted day."""
    job = load_job(name)
    env = SimpleNamespace(files=f"{lake.tables}_files")
    told = SimpleNamespace(shop=None, seed=5, horizon=14, env=env, jobs={name: job.settings(**settings)})
    job.run(context := JobContext(job, told, lake, AS_OF, "run"))
    return context
