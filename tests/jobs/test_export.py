"""The job export, on a planted lake: what it writes is what was recommended, and only published runs leave."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from shoprec.contracts.gold import ITEM_FEATURES, RECOMMENDATIONS
from shoprec.contracts.gold_runs import RUNS
from shoprec.errors import ConfigError
from shoprec.exports.bulk import verify
from shoprec.lake import Lake
from shoprec.runs import publish
from tests.ranking.planted_lake import AS_OF, RUN, context, put
from tests.ready import make_ready

ROWS = [
    {"list": name, "market": "m", "user_id": user, "rank": rank, "item_id": f"i{rank}", "score": 0.5 / rank,
     "sources": ["als"], "reasons": ["Fits what you buy"]}
    for name, users in (("all", ("u1", "u2", "u3")), ("discovery", ("u1",))) for user in users for rank in (1, 2)
]  # fmt: skip


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with six recommendations for three users and two for discovery; the run is not published yet."""
    folder = tmp_path_factory.mktemp("export-job")
    lake = Lake(spark, str(folder / "lake"))
    make_ready(lake, (RECOMMENDATIONS, ITEM_FEATURES, RUNS))
    put(lake, RECOMMENDATIONS, ROWS, as_of=AS_OF, run_id=RUN)
    put(lake, ITEM_FEATURES, [{"item_id": "i1", "name": "Bread"}, {"item_id": "i2"}], as_of=AS_OF, run_id=RUN)
    return lake


def test_only_published_runs_leave(lake: Lake, tmp_path: Path) -> None:
    job = context(lake, "export", str(tmp_path))
    with pytest.raises(ConfigError, match="run run-1 is not published"):
        job.job.run(job)
    assert list(tmp_path.iterdir()) == []


def test_another_date_than_the_runs_own_removes_nothing(lake: Lake, tmp_path: Path) -> None:
    job = replace(context(lake, "export", str(tmp_path)), as_of=AS_OF + timedelta(days=1))
    publish_own(lake)
    with pytest.raises(ConfigError, match="run run-1 made no lists for 2024-04-02"):
        job.job.run(job)
    assert list(tmp_path.iterdir()) == []


def publish_own(lake: Lake) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    row = {"run_id": RUN, "as_of": AS_OF, "predecessor": "", "sequence": 1, "shop": "planted", "horizon": 14,
           "gate": "{}", "seeds": "{}", "digests": "{}", "settings_hash": "", "published_at": now}  # fmt: skip
    publish(lake, row)


def test_exports_the_run(lake: Lake, tmp_path: Path) -> None:
    """To the run's folder by default, or where the setting says."""
    publish_own(lake)
    assert not lake.read(RUNS).isEmpty()
    for more, out in (
        ({}, tmp_path / "exports" / RUN),
        ({"out": str(tmp_path / "there"), "formats": ("jsonl",)}, tmp_path / "there"),
    ):
        job = context(lake, "export", str(tmp_path), **more)
        job.job.run(job)
        manifest = verify(str(out))
        assert (manifest["users"], manifest["recommendations"]) == (3, {"all": 6, "discovery": 2})
        assert (manifest["run_id"], manifest["as_of"], manifest["shop"]) == (RUN, "2024-04-01", "planted")
        assert job.detail["users"] == 3
        paths = [out / entry["path"] for entry in manifest["files"] if entry["format"] == "jsonl"]
        lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
        assert sorted(line["user_id"] for line in lines) == ["u1", "u2", "u3"]
        assert {entry["name"] for line in lines for entry in line["all"]} == {"Bread", None}
