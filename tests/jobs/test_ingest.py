"""ingest: each file once, whatever happens on the way."""

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec import lake as lakes
from shoprec.context import bronze_table
from shoprec.contracts import Table
from shoprec.errors import ConfigError, ContractBroken
from shoprec.lake import Lake
from tests.jobs.desk import Desk, sale

SALES = bronze_table("sales")


@pytest.fixture
def desk(lake: Lake, tmp_path: Path) -> Desk:
    """A shop with one day of sales, in which one line stands three times."""
    return first_day(lake, tmp_path / "raw")


def first_day(lake: Lake, place: Path) -> Desk:
    desk = Desk(lake, place)
    desk.deliver("1.csv", [sale("a", "2024-01-01", "u1", "tea")] * 3 + [sale("b", "2024-01-01", "u2", "mug")])
    desk.deliver_goods()
    return desk


@pytest.fixture(scope="module")
def first_taken_in(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("ingest")
    desk = first_day(Lake(spark, str(folder / "lake")), folder / "raw")
    desk.run("ingest")
    return desk


@pytest.fixture
def taken_in(first_taken_in: Desk, lake: Lake, tmp_path: Path) -> Desk:
    """The shop after its first ingest."""
    return first_taken_in.copied(lake, tmp_path)


def test_a_second_run_takes_in_only_what_is_new(desk: Desk) -> None:
    first = desk.run("ingest")
    assert [(w.table, w.rows) for w in first.written] == [("bronze.sales", 4), ("bronze.goods", 2)]
    assert desk.rows(SALES, "line", "_file", "_occurrence", "_ingestion_id") == [
        ("a", "1.csv", 1, 1),
        ("a", "1.csv", 2, 1),
        ("a", "1.csv", 3, 1),
        ("b", "1.csv", 1, 1),
    ]
    assert desk.run("ingest").written == []
    assert desk.said[-2:] == ["sales: nothing new (1 files known)", "goods: nothing new (1 files known)"]
    desk.deliver("2.csv", [sale("c", "2024-01-02", "u1", "mug")])
    assert [(w.table, w.rows) for w in desk.run("ingest").written] == [("bronze.sales", 1)]
    assert desk.rows(SALES, "line", "_file", "_ingestion_id")[-1] == ("c", "2.csv", 2)
    assert len(desk.rows(SALES)) == 5


def test_a_day_without_data_is_no_fault(desk: Desk) -> None:
    desk.deliver("2.csv", [])
    (desk.place / "sales" / "3.csv").write_text("")
    desk.run("ingest")
    assert "sales: 4 rows of 3 new files (0 known)" in desk.said
    desk.said.clear()
    desk.run("ingest")
    assert "sales: nothing new (2 new files without rows, 1 files known)" in desk.said


def test_a_dataset_whose_only_file_has_a_header_alone_is_an_empty_table(desk: Desk) -> None:
    (desk.place / "goods" / "goods.csv").write_text("what,kind,name,since\n")
    desk.run("ingest")
    goods = bronze_table("goods")
    assert desk.lake.read(goods).columns[:4] == ["what", "kind", "name", "since"]
    assert desk.rows(goods) == []


def test_a_dataset_of_which_nothing_is_known_is_refused(desk: Desk) -> None:
    (desk.place / "goods" / "goods.csv").write_text("")
    with pytest.raises(ConfigError, match="dataset goods: all of its 1 files are empty"):
        desk.run("ingest")


def test_a_missing_folder_is_found_before_anything_is_taken_in(desk: Desk) -> None:
    (desk.place / "goods" / "goods.csv").unlink()
    (desk.place / "goods").rmdir()
    with pytest.raises(ConfigError, match="dataset goods: there is no file at"):
        desk.run("ingest")
    assert not desk.lake.exists(SALES)
    desk.deliver_goods()
    assert [w.table for w in desk.run("ingest").written] == ["bronze.sales", "bronze.goods"]
    assert len(desk.rows(SALES)) == 4


@pytest.mark.parametrize(
    ("told", "wrong", "message"),
    [
        ("user_id: who", "user_id: whoo", "tables.interactions of dataset sales, column user_id: 'whoo' names column"),
        ("by: [what]", "by: [waht]", "tables.interactions of dataset sales, join with goods: the dataset has no col"),
        ("since: timestamp", "until: timestamp", "types names column 'until'"),
        ("who = 'nobody'", "who =", "refuse 'nobody': 'who =' is no Spark SQL expression: [PARSE_SYNTAX_ERROR]"),
    ],
)
def test_a_mapping_that_does_not_fit_is_found_before_anything_is_taken_in(
    desk: Desk, told: str, wrong: str, message: str
) -> None:
    desk.yaml = desk.yaml.replace(told, wrong, 1)
    with pytest.raises(ConfigError, match=re.escape(message)):
        desk.run("ingest")
    assert not desk.lake.exists(SALES)


def test_a_mapping_may_name_a_column_that_only_earlier_or_only_new_files_have(taken_in: Desk) -> None:
    header = "line,at,arrived,who,what,n,channel"
    taken_in.deliver("2.csv", ["c,2024-01-02 10:00:00,2024-01-02 10:05:00,u1,mug,1,web"], header=header)
    taken_in.yaml = taken_in.yaml.replace("amount: paid", "amount: paid\n        store_id: channel")
    taken_in.run("ingest")
    assert taken_in.rows(SALES, "line", "paid", "channel")[-1] == ("c", None, "web")
    assert "warning: sales: the new files lack paid, which earlier ones had: null in them" in taken_in.said


def test_a_failure_between_commit_and_record_repeats_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    append = Lake.append

    def and_die(self: Lake, *args: object) -> None:
        append(self, *args)
        raise KeyboardInterrupt

    monkeypatch.setattr(lakes.Lake, "append", and_die)
    with pytest.raises(KeyboardInterrupt):
        desk.run("ingest")
    monkeypatch.setattr(lakes.Lake, "append", append)
    desk.run("ingest")
    assert len(desk.rows(SALES)) == 4
    assert len(desk.rows(bronze_table("goods"))) == 2


def test_an_append_that_delta_takes_for_a_repeat_is_not_passed_over_in_silence(
    taken_in: Desk, spark: SparkSession
) -> None:
    spark.sql(f"DELETE FROM delta.`{taken_in.lake.location(SALES)}`")
    with pytest.raises(ContractBroken, match="ingestion 1 was taken for one made before"):
        taken_in.run("ingest")


def test_of_two_ingests_at_once_the_second_says_that_it_wrote_nothing(
    taken_in: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both list what is new and choose the number 2; the other, which did not see the last file yet, commits first."""
    taken_in.deliver("2.csv", [sale("c", "2024-01-02", "u1", "mug")])
    append = Lake.append

    def after_another(self: Lake, rows: DataFrame, table: Table, app_id: str, version: int) -> bool:
        assert version == 2
        theirs = self.read(table).limit(1).withColumn("_ingestion_id", F.lit(version).cast("bigint"))
        append(self, theirs, table, app_id, version)
        return append(self, rows, table, app_id, version)

    monkeypatch.setattr(lakes.Lake, "append", after_another)
    with pytest.raises(ContractBroken, match="another ingest took the number at the same moment"):
        taken_in.run("ingest")


def test_columns_that_the_source_gains_are_added(taken_in: Desk) -> None:
    taken_in.deliver(
        "2.csv", [sale("c", "2024-01-02", "u1", "mug") + ",web"], header="line,at,arrived,who,what,n,paid,channel"
    )
    taken_in.run("ingest")
    assert taken_in.rows(SALES, "line", "channel")[-1] == ("c", "web")
    assert taken_in.rows(SALES, "line", "channel")[0] == ("a", None)


def test_files_with_unlike_headers_in_one_delivery_are_refused(desk: Desk) -> None:
    desk.deliver("2.csv", ["x,y"], header="line,who")
    with pytest.raises(ConfigError, match="dataset sales: its files have different headers"):
        desk.run("ingest")


def test_the_case_of_a_name_and_a_new_column_without_rows_change_nothing(taken_in: Desk) -> None:
    taken_in.deliver("2.csv", [sale("c", "2024-01-02", "u1", "mug")], header="line,AT,arrived,who,what,n,paid")
    taken_in.run("ingest")
    assert taken_in.rows(SALES, "line", "at")[-1] == ("c", "2024-01-02 10:00:00")
    taken_in.deliver("3.csv", [], header="line,at,arrived,who,what,n,paid,channel")
    taken_in.run("ingest")
    assert "sales: nothing new (1 new files without rows, 2 files known)" in taken_in.said
    assert len(taken_in.rows(SALES)) == 5


@pytest.mark.faults
def test_killed_in_the_middle_and_started_again(tmp_path: Path) -> None:
    """kill -9 after one dataset's commit, while others are on their way: the second run brings the rest, once."""
    script = tmp_path / "ingest_and_die.py"
    script.write_text(
        textwrap.dedent(f"""
        import os, signal, sys
        from shoprec import lake
        from shoprec.job import run
        append = lake.Lake.append
        def last_words(self, rows, table, app_id, version):
            wrote = append(self, rows, table, app_id, version)
            if sys.argv[1] == "die" and table.name == "transactions":
                os.kill(os.getpid(), signal.SIGKILL)
            return wrote
        lake.Lake.append = last_words
        run("ingest", "2020-03-01", shop="simulated", settings=[
            "tables={tmp_path}/lake", "files={tmp_path}/files", "memory_gib=0", "spark.master=local[2]",
            "spark.driver.memory=1g", "spark.sql.shuffle.partitions=2"])
    """)
    )
    environment = {**os.environ, "SHOPREC_USERS": "40", "SHOPREC_DAYS": "28", "PYSPARK_PYTHON": sys.executable}
    killed = subprocess.run(
        [sys.executable, script, "die"], env=environment, capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    ended = subprocess.run(
        [sys.executable, script, "live"], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert "transactions: nothing new" in ended.stdout
    for dataset in ("transactions", "products", "users", "promotions"):
        table = DeltaTable(tmp_path / "lake/bronze" / dataset).to_pyarrow_table(
            columns=["_file", "_row", "_occurrence"]
        )
        rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        assert len(rows) == len(set(rows)) > 0
        if dataset == "products":
            assert len(rows) == 480


def test_columns_that_change_their_type_are_refused(desk: Desk, spark: SparkSession) -> None:
    desk.yaml = desk.yaml.replace(
        "goods: {format: csv, path: PLACE/goods", "goods: {format: parquet, path: PLACE/goods/*.parquet"
    )
    goods = spark.range(2).selectExpr("id AS what", "'x' AS kind", "'y' AS name", "current_timestamp() AS since")
    goods = goods.coalesce(1)
    goods.write.parquet(str(desk.place / "goods" / "1.parquet"))
    desk.run("ingest")
    other = goods.selectExpr("what", "kind", "array(name) AS name", "since").coalesce(1)
    other.write.parquet(str(desk.place / "goods" / "2.parquet"))
    with pytest.raises(ConfigError, match="dataset goods: columns of the new files are of other types than before"):
        desk.run("ingest")
