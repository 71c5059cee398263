"""Where tables lie, how they are made, whose they are, and what is known of a version."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from delta import DeltaTable
from pyspark.sql import SparkSession

from shoprec.contracts import Column, Table, Write
from shoprec.contracts.gold_runs import RUNS
from shoprec.errors import ConfigError
from shoprec.lake import Lake
from tests.lake.stock import STOCK, commit_elsewhere, stock


def test_the_version_is_that_of_any_commit_and_takes_no_query(
    lake: Lake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.ensure([STOCK])
    lake.replace(stock(spark, ("x", 1, 1.0)), STOCK, shelf="a")
    assert lake.version(STOCK) == 1
    commit_elsewhere(lake.location(STOCK))
    with monkeypatch.context() as patched:
        patched.setattr(DeltaTable, "history", None)
        assert lake.version(STOCK) == 2


@pytest.mark.parametrize("other", ["no_jvm", "another_delta"])
def test_where_delta_does_not_tell_its_version_and_owner_queries_do(
    lake: Lake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    lake.claim("corner")
    lake.ensure([STOCK])
    commit_elsewhere(lake.location(STOCK))
    lacking = {"another_delta": {"_jdt": spark._jsparkSession}}.get(other, {})
    there = {table.name: lake._delta(table) for table in (STOCK, RUNS)}
    asked = {name: SimpleNamespace(history=one.history, detail=one.detail, **lacking) for name, one in there.items()}
    monkeypatch.setattr(lake, "_delta", lambda table: asked[table.name])
    assert lake.version(STOCK) == 1
    lake.claim("corner")
    with pytest.raises(ConfigError, match="is that of the shop corner, not of market's"):
        lake.claim("market's")


def test_what_is_known_of_a_version_is_asked_once(lake: Lake) -> None:
    lake.ensure([STOCK])
    asked: list[int] = []

    def ask() -> int:
        asked.append(lake.read(STOCK).count())
        return asked[-1]

    assert [lake.known(STOCK, "rows", ask) for _ in range(2)] == [0, 0]
    commit_elsewhere(lake.location(STOCK))
    assert [lake.known(STOCK, "rows", ask) for _ in range(2)] == [1, 1]
    assert asked == [0, 1]
    assert lake.known(STOCK, "another", lambda: 7) == 7
    # The same version of a table that was made again is another's.
    shutil.rmtree(lake.location(STOCK))
    Lake(lake.spark, lake.tables).ensure([STOCK])
    lake.replace(stock(lake.spark, ("x", 1, 1.0), ("y", 2, None)), STOCK, shelf="a")
    assert lake.known(STOCK, "rows", ask) == 2


def test_a_table_that_is_missing_or_of_another_contract_is_named(lake: Lake, spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match="silver.stock is not in the lake .* run the job that makes it"):
        lake.read(STOCK)
    lake.ensure([STOCK])
    other = Table(
        "silver",
        "stock",
        "x",
        (*STOCK.columns, Column("colour", "string", "c")),
        STOCK.key,
        Write.REPLACE,
        (),
        ("shelf",),
    )
    with pytest.raises(ConfigError, match="missing: \\['colour'\\]"):
        lake.ensure([other])


def test_a_lake_that_cannot_be_written_is_named(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="cannot make table silver.stock in the lake .*--set tables"):
        Lake(spark, str(tmp_path / "file" / "lake")).ensure([STOCK])


@pytest.mark.parametrize("made_before", [False, True])
def test_a_lake_is_one_shops(lake: Lake, made_before: bool) -> None:
    """The first to make the table of runs has it; of one that is there and nobody's, the first to ask."""
    if made_before:
        lake.ensure([RUNS])
    for _ in range(2):
        lake.claim("burlington")  # which Spark, asked for it, takes for a secret: it has "url" in it
    with pytest.raises(ConfigError, match="is that of the shop burlington, not of market's: .* --set tables"):
        lake.claim("market's")


def test_of_two_that_claim_at_once_one_has_the_lake(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another shop makes the table after this one saw that it is not there."""
    other = Lake(lake.spark, lake.tables)

    def made_meanwhile(_: Table) -> bool:
        other.claim("market's")
        return False

    monkeypatch.setattr(lake, "exists", made_meanwhile)
    with pytest.raises(ConfigError, match="is that of the shop market's, not of corner"):
        lake.claim("corner")


def test_what_names_a_catalog_and_what_a_folder(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Lake(spark, "prod-eu.shop").location(STOCK) == "`prod-eu`.`shop`.silver_stock"
    assert Lake(spark, "out/lake/").location(STOCK) == f"{tmp_path}/out/lake/silver/stock"
    assert Lake(spark, "lake").location(STOCK) == f"{tmp_path}/lake/silver/stock"
    assert Lake(spark, "dbfs:/shop/lake").location(STOCK) == "dbfs:/shop/lake/silver/stock"
