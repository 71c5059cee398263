"""items: the catalogue's versions in silver."""

import shutil
from datetime import datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from shoprec.contracts.silver import ITEMS, QUARANTINE, RECONCILIATION
from shoprec.errors import ConfigError, ContractBroken
from shoprec.lake import Lake
from tests.jobs.desk import Desk, sale


@pytest.fixture(scope="module")
def listed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The shop with its catalogue in silver."""
    folder = tmp_path_factory.mktemp("items")
    desk = Desk(Lake(spark, str(folder / "lake")), folder / "raw")
    desk.deliver("1.csv", [sale("a", "2024-01-01", "u1", "tea")])
    desk.deliver_goods()
    desk.run("ingest")
    desk.run("items")
    return desk


@pytest.fixture
def desk(listed: Desk, lake: Lake, tmp_path: Path) -> Desk:
    return listed.copied(lake, tmp_path)


def test_a_new_delivery_ends_the_version_before(desk: Desk) -> None:
    first = desk.rows(ITEMS, "item_id", "name", "valid_to", "timeless")
    assert first == [("mug", "Mug", None, False), ("tea", "Green tea", None, False)]
    header = "what,kind,name,since"
    changes = ["tea,drinks,Sencha,2024-02-01", "mug,things,Mug,2024-02-01", ",things,Lid,2024-02-01", "pot,,Pot,soon"]
    desk.deliver("later.csv", changes, "goods", header)
    desk.run("ingest")
    desk.run("items")
    assert desk.rows(ITEMS, "item_id", "name", "valid_from", "valid_to") == [
        ("mug", "Mug", datetime(2024, 1, 1), None),
        ("tea", "Green tea", datetime(2024, 1, 1), datetime(2024, 2, 1)),
        ("tea", "Sencha", datetime(2024, 2, 1), None),
    ]
    assert desk.rows(QUARANTINE, "reason") == [("item_id is missing",), ("since is not timestamp",)]
    columns = ("dataset", "read", "passed_over", "refused", "duplicate", "kept", "taken_in")
    assert desk.rows(RECONCILIATION, *columns) == [("goods", 6, 0, 2, 1, 3, 2)]


def test_quarantine_is_written_only_where_something_comes_into_it_or_leaves_it(desk: Desk) -> None:
    made = desk.lake.version(QUARANTINE)
    assert made == 0, "nothing was refused, and yet it was written"
    desk.deliver("later.csv", [",things,Lid,2024-02-01"], "goods", "what,kind,name,since")
    desk.run("ingest")
    desk.run("items")
    assert desk.rows(QUARANTINE, "reason") == [("item_id is missing",)]
    desk.yaml = desk.yaml.replace("item_id: what, domain", "item_id: \"coalesce(what, 'lid')\", domain")
    desk.run("items")
    assert desk.rows(QUARANTINE, "reason") == []
    assert [row[0] for row in desk.rows(ITEMS, "item_id")] == ["lid", "mug", "tea"]


def test_what_arrives_while_the_job_works_is_taken_in_by_the_next(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted only at the end, the new row would be held for a duplicate, and never be looked at again."""

    def deliver(name: str, item: str) -> None:
        desk.deliver(name, [f"{item},drinks,{item},2024-01-01"], "goods", "what,kind,name,since")
        desk.run("ingest")

    deliver("second.csv", "mate")
    desk.meanwhile(monkeypatch, lambda: deliver("third.csv", "rooibos"))
    desk.run("items")
    assert desk.rows(ITEMS, "item_id") == [("mate",), ("mug",), ("tea",)]
    desk.run("items")
    assert desk.rows(ITEMS, "item_id") == [("mate",), ("mug",), ("rooibos",), ("tea",)]


def test_a_table_that_was_removed_is_made_again(desk: Desk, lake: Lake) -> None:
    before = desk.rows(ITEMS, "item_id", "name")
    shutil.rmtree(lake.location(ITEMS))
    lake.ensure([ITEMS])
    desk.run("items")
    assert desk.rows(ITEMS, "item_id", "name") == before != []


def test_where_every_row_was_refused_the_error_says_why(desk: Desk, lake: Lake) -> None:
    shutil.rmtree(desk.place / "goods")
    desk.deliver("bad.csv", ["tea,drinks,Tea,31/12/2023", "mug,things,Mug,soon"], "goods", "what,kind,name,since")
    desk.lake = Lake(lake.spark, f"{lake.tables}_other")
    desk.run("ingest")
    why = "silver.items: no rows.* — refused before: 2 rows of goods for 'since is not timestamp'"
    with pytest.raises(ContractBroken, match=why):
        desk.run("items")


def test_an_expression_that_a_row_has_no_value_for_is_told_and_nothing_is_written(desk: Desk) -> None:
    before = desk.rows(ITEMS, "item_id", "name")
    desk.yaml = desk.yaml.replace("name: name", "name: name + 1")
    with pytest.raises(ConfigError, match=r"tables\.items of dataset goods: .*(Green tea|Mug)"):
        desk.run("items")
    assert desk.rows(ITEMS, "item_id", "name") == before
