"""The job candidates: a slice for each source, whole and apart from the others'."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from shoprec.contracts.gold import CANDIDATES, ITEM_NEIGHBOURS
from shoprec.contracts.silver import INTERACTIONS
from shoprec.models.sources import CandidatesConfig
from tests.contracts.planted import AS_OF, NEWCOMER, USERS, bought_by, lines
from tests.jobs.planted_sources import listed, planted_lake, run
from tests.small_tables import add, put, rows

SOURCES = {
    "als": {"new": 4, "bought": 2},
    "item_knn": {"new": 4, "bought": 2},
    "popular": {"new": 4, "bought": 2},
    "buy_again": {"bought": 5},
}


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    made = planted_lake(spark, tmp_path_factory.mktemp("candidates"))
    run(made, "als", rank=5, iterations=4)
    run(made, "item_neighbours", beside={"candidates": CandidatesConfig()})
    return made


@pytest.fixture(scope="module")
def context(lake):
    return run(lake, "candidates", sources=SOURCES)


def slice_of(lake, source):
    found = rows(lake, CANDIDATES, source=source)
    return {(r["user_id"], r["item_id"]): (r["market"], r["rank"], round(r["score"], 5)) for r in found}


def test_every_source_has_its_slice_and_all_come_by_one_commit(lake, context):
    assert {row["source"] for row in rows(lake, CANDIDATES)} == set(SOURCES)
    assert [one.rows for one in context.written] == [len(rows(lake, CANDIDATES))]


def test_a_source_that_proposes_nothing_leaves_nothing_and_takes_nothing_from_others(lake, context):
    before = {source: slice_of(lake, source) for source in SOURCES}
    neighbours = rows(lake, ITEM_NEIGHBOURS)
    try:
        put(lake, ITEM_NEIGHBOURS, [])
        twin = {"kind": "embeddings", "of": "als", **SOURCES["als"]}
        run(lake, "candidates", sources={**SOURCES, "spectral": twin})
        assert slice_of(lake, "item_knn") == {}
        assert slice_of(lake, "spectral") == before["als"]
        assert all(slice_of(lake, source) == before[source] for source in SOURCES if source != "item_knn")
    finally:
        put(lake, ITEM_NEIGHBOURS, neighbours)
        lake.remove(CANDIDATES, source="spectral")
        run(lake, "candidates", sources=SOURCES)


def test_every_user_of_the_index_has_candidates(lake, context):
    users = {row["user_id"] for row in rows(lake, CANDIDATES)}
    assert users == {f"u{n:03d}" for n in range(USERS)} | {NEWCOMER}


def test_both_quotas_are_in_one_ranking(lake, context):
    for source in ("als", "item_knn", "popular"):
        lists = defaultdict(dict)
        for (user, item), (_, rank, _) in slice_of(lake, source).items():
            lists[user][rank] = int(item[1:])
        for user in range(USERS):
            mine = lists[f"u{user:03d}"]
            assert sorted(mine) == list(range(1, len(mine) + 1))
            bought = set(mine.values()) & bought_by(user)
            assert len(bought) <= 2
            assert len(mine) - len(bought) <= 4


def test_a_source_made_again_leaves_the_others_alone(lake, context):
    before = {source: slice_of(lake, source) for source in SOURCES}
    run(lake, "candidates", sources={"popular": {"new": 1, "bought": 0}})
    after = {source: slice_of(lake, source) for source in SOURCES}
    assert len(after["popular"]) == USERS + 1
    for source in ("als", "item_knn", "buy_again"):
        assert after[source] == before[source]
    run(lake, "candidates", sources={"popular": SOURCES["popular"]})
    assert slice_of(lake, "popular") == before["popular"]


def test_two_writers_of_different_sources_both_succeed(lake, context):
    before = {source: slice_of(lake, source) for source in SOURCES}
    with ThreadPoolExecutor(2) as both:
        for job in [both.submit(run, lake, "candidates", sources={n: SOURCES[n]}) for n in ("popular", "buy_again")]:
            job.result()
    assert {source: slice_of(lake, source) for source in SOURCES} == before


def test_what_was_returned_in_full_is_offered_by_no_source(lake, context):
    before = {source: slice_of(lake, source) for source in SOURCES}
    user, item = next(pair for pair, (_, rank, _) in before["buy_again"].items() if rank == 1)
    assert sum((user, item) in pairs for pairs in before.values()) > 1
    sold = rows(lake, INTERACTIONS, user_id=user, item_id=item)
    add(lake, INTERACTIONS, [{**sale, "type": "return", "quantity": -sale["quantity"]} for sale in sold])
    run(lake, "candidates", sources=SOURCES)
    after = {source: slice_of(lake, source) for source in SOURCES}
    for source, pairs in before.items():
        assert set(after[source]) == set(pairs) - {(user, item)}
    ranks = sorted(rank for (who, _), (_, rank, _) in after["buy_again"].items() if who == user)
    assert ranks == list(range(1, len(ranks) + 1))


def test_what_the_catalogue_does_not_list_is_not_proposed_and_told(lake, context, capsys):
    sold, lately = {item_id(item) for _, item, _ in lines()}, AS_OF - timedelta(days=14)
    first = next(item for (_, item), (_, rank, _) in slice_of(lake, "popular").items() if rank == 1)
    late = [item_id(item) for _, item, day in lines() if day >= lately]
    try:
        listed(lake, sold - {first})
        told = run(lake, "candidates", sources=SOURCES)
        assert all(item != first for source in SOURCES for _, item in slice_of(lake, source))
        counts = {"items": 1, "lines": late.count(first)}
        assert told.detail["not_in_catalogue"] == counts | {"proposed": False}
        said = f"1 of {len(sold)} items sold, {counts['lines']} of {len(late)} purchase lines of the last 14 days, are"
        assert said in capsys.readouterr().out
    finally:
        listed(lake, sold)


def test_a_catalogue_that_does_not_fit_what_is_sold_leaves_nothing_out_and_warns(lake, context, capsys):
    sold = {item_id(item) for _, item, _ in lines()}
    run(lake, "candidates", sources={"popular": SOURCES["popular"]})
    before = slice_of(lake, "popular")
    try:
        # Of what is sold lately less than half is listed, then nothing.
        for few in (set(sorted(sold)[12:24]), {"another"}):
            listed(lake, few)
            told = run(lake, "candidates", sources={"popular": SOURCES["popular"]})
            assert slice_of(lake, "popular") == before
            assert told.detail["not_in_catalogue"]["proposed"]
            assert told.detail["not_in_catalogue"]["items"] == len(sold - few)
            assert "all are proposed, since it seems not to fit" in capsys.readouterr().out
    finally:
        listed(lake, sold)


def item_id(number):
    return f"i{number:03d}"
