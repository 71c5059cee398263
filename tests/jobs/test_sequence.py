"""sequence: the job on a lake that holds the planted shop."""

from types import SimpleNamespace

from shoprec.contracts.gold import ITEM_EMBEDDINGS, ITEM_FEATURES, TEXT_EMBEDDINGS, USER_EMBEDDINGS
from shoprec.contracts.gold_runs import JOB_RUNS
from shoprec.models.sources import CandidatesConfig
from tests.contracts.planted import ITEMS, USERS
from tests.jobs.planted_sources import planted_lake, run
from tests.ready import make_ready
from tests.small_tables import rows

SMALL = {
    "launcher": "in_process", "ranks": 1, "lanes": 2, "batch": 16, "epochs": 1, "width": 8, "layers": 1, "heads": 1,
    "length": 10, "validation_users": 10, "tracking": "",
}  # fmt: skip


def test_it_writes_embeddings_where_a_source_draws_on_it(spark, tmp_path):
    lake = planted_lake(spark, tmp_path)
    make_ready(lake, [ITEM_FEATURES, TEXT_EMBEDDINGS, JOB_RUNS])
    beside = {"candidates": CandidatesConfig(sources=["als"])}
    assert not run(lake, "sequence", beside=beside, **SMALL).written

    told = {"late": {"kind": "embeddings", "of": "sequence"}}
    beside = {"candidates": CandidatesConfig(sources=told)}
    context = run(lake, "sequence", beside=beside, shop=SimpleNamespace(name="planted"), **SMALL)
    for table, key, count in ((USER_EMBEDDINGS, "user_id", USERS), (ITEM_EMBEDDINGS, "item_id", ITEMS)):
        found = rows(lake, table, model="sequence")
        assert len({row[key] for row in found}) == len(found) == count
        assert all(len(row["vector"]) == 8 for row in found)
    assert context.detail["training"]["epochs"] == [1]
    assert context.detail["training"]["val"][0] is not None
