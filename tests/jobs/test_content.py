"""content: the job on a lake that holds the planted shop, with texts and without."""

import pytest

from shoprec.contracts.gold import ITEM_EMBEDDINGS, TEXT_EMBEDDINGS, USER_EMBEDDINGS
from shoprec.contracts.gold_features import ITEM_FEATURES, TEXT_WIDTH
from shoprec.contracts.gold_runs import JOB_RUNS
from shoprec.models.sources import CandidatesConfig
from tests.contracts.planted import USERS
from tests.jobs.planted_sources import RUN, planted_lake, run
from tests.ready import make_ready
from tests.small_tables import add, rows

DRAWN_ON = {"candidates": CandidatesConfig(sources=["content"])}


@pytest.fixture
def lake(spark, tmp_path):
    made = planted_lake(spark, tmp_path)
    make_ready(made, [ITEM_FEATURES, TEXT_EMBEDDINGS, JOB_RUNS])
    return made


def test_where_no_item_has_a_text_nothing_is_made_and_it_is_told(lake, capsys):
    assert not run(lake, "content", beside=DRAWN_ON).written
    assert "no user met an item with a text" in capsys.readouterr().out


def test_it_writes_embeddings_where_a_source_draws_on_it(lake):
    vector = [1.0] + [0.0] * (TEXT_WIDTH - 1)
    add(lake, TEXT_EMBEDDINGS, [{"encoder": "hashed", "text_hash": "a" * 64, "vector": vector}])
    texts = [{"item_id": f"i{item:03d}", "text_hash": "a" * 64} for item in range(3)]
    add(lake, ITEM_FEATURES, texts, **RUN)
    assert not run(lake, "content", beside={"candidates": CandidatesConfig(sources=["als"])}).written
    run(lake, "content", beside=DRAWN_ON)
    items, users = (rows(lake, table, model="content") for table in (ITEM_EMBEDDINGS, USER_EMBEDDINGS))
    assert {row["item_id"] for row in items} == {"i000", "i001", "i002"}
    assert 0 < len(users) <= USERS
    assert all(row["vector"] == vector for row in users)
