"""The job item_neighbours: a slice for each kind, with the neighbours that the planted tastes make."""

import pytest

from shoprec.contracts.gold import ITEM_NEIGHBOURS
from shoprec.models.sources import CandidatesConfig
from tests.contracts.planted import kind
from tests.jobs.planted_sources import planted_lake, run
from tests.small_tables import rows


def test_both_kinds_find_items_of_one_taste(spark, tmp_path):
    lake = planted_lake(spark, tmp_path)
    run(lake, "item_neighbours", beside={"candidates": CandidatesConfig()})
    for name in ("similar", "bought_together"):
        found = rows(lake, ITEM_NEIGHBOURS, kind=name)
        assert found
        # Nobody buys across tastes, so no pair across them has any support.
        assert all(kind(int(row["item_id"][1:])) == kind(int(row["neighbour_id"][1:])) for row in found)
        assert all(row["item_id"] != row["neighbour_id"] for row in found)
        assert name != "similar" or all(row["similarity"] <= 1 for row in found)


def test_other_kinds_are_made_where_a_source_draws_on_them(spark, tmp_path):
    lake = planted_lake(spark, tmp_path)
    run(lake, "item_neighbours", beside={"candidates": CandidatesConfig(sources=["co_visit", "linear"])})
    made = {row["kind"] for row in rows(lake, ITEM_NEIGHBOURS)}
    assert made == {"similar", "bought_together", "co_visit", "linear"}
    found = [row for one in ("co_visit", "linear") for row in rows(lake, ITEM_NEIGHBOURS, kind=one)]
    assert all(kind(int(row["item_id"][1:])) == kind(int(row["neighbour_id"][1:])) for row in found)


@pytest.mark.parametrize(
    ("sources", "kinds"),
    [
        (["als", "item_knn"], {"similar"}),
        (["item_knn", "bought_together"], {"similar", "bought_together"}),
        ({"baskets": {"kind": "neighbours", "of": "bought_together"}}, {"bought_together"}),
        (["als", "co_visit"], {"co_visit"}),
        (["popular"], set()),
    ],
)
def test_of_an_earlier_date_only_what_sources_draw_on_is_made(spark, tmp_path, sources, kinds):
    lake = planted_lake(spark, tmp_path)
    run(lake, "item_neighbours", at=-1, beside={"candidates": CandidatesConfig(sources=sources)})
    assert {row["kind"] for row in rows(lake, ITEM_NEIGHBOURS)} == kinds
