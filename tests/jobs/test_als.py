"""The job als: both tables of embeddings, the same on a repeat, and gone on from those of an earlier run."""

from datetime import datetime, timedelta

import pytest

from shoprec.contracts.gold import ITEM_EMBEDDINGS, USER_EMBEDDINGS
from shoprec.contracts.gold_runs import RUNS
from shoprec.errors import ConfigError
from shoprec.runs import publish
from tests.contracts.planted import AS_OF
from tests.jobs.embeddings import assert_written_and_repeated
from tests.jobs.planted_sources import planted_lake, run
from tests.ready import make_ready
from tests.small_tables import add, rows

EARLIER = {"as_of": AS_OF - timedelta(days=7), "run_id": "earlier"}
TABLES = {"user_id": USER_EMBEDDINGS, "item_id": ITEM_EMBEDDINGS}


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    return planted_lake(spark, tmp_path_factory.mktemp("als"))


def test_embeddings_of_all_that_has_samples_are_written_and_a_repeat_gives_the_same(lake):
    assert_written_and_repeated(lake, "als", rank=5, iterations=2)


def test_it_goes_on_from_the_last_run_published_for_an_earlier_date(lake, capsys):
    make_ready(lake, [RUNS])
    told = {"rank": 5, "iterations": 1, "warm_start": True}
    run(lake, "als", **told)
    assert "no run with als was published for an earlier date" in capsys.readouterr().out
    for key, table in TABLES.items():
        add(lake, table, rows(lake, table, key, "vector", run_id="run"), **EARLIER, model="als")
    publish(lake, published())
    done = run(lake, "als", **told)
    assert "start from those of run earlier" in capsys.readouterr().out
    assert done.detail["started_from"] == {"run_id": "earlier", "as_of": str(EARLIER["as_of"])}
    with pytest.raises(ConfigError, match=r"are 5 wide, als\.rank is 6 — set als\.warm_start=false"):
        run(lake, "als", **told | {"rank": 6})


def published():
    """A row of gold.runs."""
    told = {"shop": "s", "horizon": 14, "gate": "{}", "seeds": "{}", "digests": "{}", "settings_hash": "h"}
    return {**EARLIER, "predecessor": "", "sequence": 1, **told, "published_at": datetime(2024, 1, 1)}
