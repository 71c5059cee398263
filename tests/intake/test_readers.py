"""Raw files in: which are new, what is read of them, and how what cannot be read is told."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from py4j.protocol import Py4JJavaError
from pyarrow import parquet as pq
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from shoprec.errors import ConfigError
from shoprec.intake import readers
from shoprec.intake.readers import deliver, halved, unreadable
from shoprec.intake.shop import Dataset


def csv(path: Path, **more: object) -> Dataset:
    return Dataset(format="csv", path=str(path), **more)


def test_new_files_of_a_folder_with_their_names_below_it(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "raw data"
    (folder / "2024").mkdir(parents=True)
    (folder / "2024" / "b 1.csv").write_text("x,y\n3,4\n")
    (folder / "a.csv").write_text("x,y\n1,\n")
    (folder / "empty.csv").write_text("")
    delivery = deliver(spark, "sales", csv(folder), {})
    assert {(r.x, r.y, r["_file"], r["_file_bytes"]) for r in delivery.rows.collect()} == {
        ("1", None, "a.csv", 7),
        ("3", "4", "2024/b%201.csv", 8),
    }
    assert delivery.files == ("2024/b%201.csv", "a.csv", "empty.csv")
    again = deliver(spark, "sales", csv(folder), {"a.csv": 7, "2024/b%201.csv": 8})
    assert (again.rows, again.files, again.known_files) == (None, ("empty.csv",), 2)


@pytest.mark.parametrize(
    ("pattern", "name"), [("day/*.csv", "a.csv"), ("*/a.csv", "day/a.csv"), ("day/a.csv", "a.csv")]
)
def test_names_of_patterns_and_single_files(spark: SparkSession, tmp_path: Path, pattern: str, name: str) -> None:
    (tmp_path / "day").mkdir()
    (tmp_path / "day" / "a.csv").write_text("x\n1\n")
    assert deliver(spark, "sales", csv(tmp_path / pattern), {}).files == (name,)


def test_lines_that_do_not_fit_are_kept_as_they_stand(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('x,y\n1,2\n3\n4,5,6\n"7,",8\n')
    rows = deliver(spark, "sales", csv(tmp_path / "a.csv"), {}).rows
    assert sorted((r.x, r.y or "", r["_unparsed"] or "") for r in rows.collect()) == [
        ("1", "2", ""),
        ("3", "", "3"),
        ("4", "5", "4,5,6"),
        ("7,", "8", ""),
    ]


def test_columns_may_be_named_and_options_told(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1;2\n")
    dataset = csv(tmp_path / "a.csv", columns=["left", "right"], options={"header": False, "sep": ";"})
    assert deliver(spark, "sales", dataset, {}).rows.select("left", "right").collect() == [("1", "2")]


def test_files_of_windows_keep_their_signs(spark: SparkSession, tmp_path: Path) -> None:
    """ISO-8859-1, which Spark takes for it, would make control characters of € and “."""
    (tmp_path / "a.csv").write_bytes("what;price\nKäse “fein”;3 €\n".encode("windows-1252"))
    dataset = Dataset(format="csv", path=str(tmp_path), options={"sep": ";", "encoding": "windows-1252"})
    rows = deliver(spark, "sales", dataset, {}).rows.select("what", "price").collect()
    assert rows == [("Käse “fein”", "3 €")]


def test_json_is_read_as_text(spark: SparkSession, tmp_path: Path) -> None:
    lines = [json.dumps({"id": 1, "tags": ["a"], "more": 2}), '{"id": ']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    dataset = Dataset(format="json", path=str(tmp_path), columns=["id", "tags"])
    rows = deliver(spark, "sales", dataset, {}).rows.select("id", "tags", "_unparsed").collect()
    assert sorted(map(tuple, rows), key=str) == [("1", '["a"]', None), (None, None, '{"id": ')]


def test_parquet_keeps_its_types(spark: SparkSession, tmp_path: Path) -> None:
    spark.createDataFrame([(1, 2.5), (1, 2.5)], "a long, b double").coalesce(1).write.parquet(str(tmp_path / "p"))
    rows = deliver(spark, "sales", Dataset(format="parquet", path=str(tmp_path / "p")), {}).rows
    assert rows.dtypes == [
        ("a", "bigint"), ("b", "double"), ("_file", "string"), ("_file_bytes", "bigint"), ("_row", "bigint"),
    ]  # fmt: skip
    assert [r["_row"] for r in rows.collect()] == [0, 1]


@pytest.mark.parametrize("group", [10, 4])
def test_two_tasks_work_at_many_rows_that_one_would_read(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    """Ten rows in one row group, or in three that one task reads; each row is there once."""
    pq.write_table(pa.table({"a": range(10)}), tmp_path / "one.parquet", row_group_size=group)
    monkeypatch.setattr(readers, "_WORTH_A_LOOK", 1)
    for many, tasks in ((10, 2), (11, 1)):
        monkeypatch.setattr(readers, "_MANY", many)
        rows = deliver(spark, "sales", Dataset(format="parquet", path=str(tmp_path)), {}).rows
        made = rows.select("a", "_row", F.spark_partition_id().alias("task")).collect()
        assert sorted((row["a"], row["_row"]) for row in made) == [(i, i) for i in range(10)]
        assert len({row["task"] for row in made}) == tasks


def test_rows_that_several_tasks_read_are_left_to_them(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": range(10)}), tmp_path / "one.parquet")
    rows = deliver(spark, "sales", Dataset(format="parquet", path=str(tmp_path)), {}).rows.repartition(3, "_row")
    assert halved(rows, 1) is rows


def test_a_row_without_a_place_is_in_one_half(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(None,), (0,), (1,)], "_row long").coalesce(1)
    assert sorted(str(row["_row"]) for row in halved(rows, 1).collect()) == ["0", "1", "None"]


@pytest.mark.parametrize(
    ("said", "error"), [("FAILED_READ_FILE: torn", ConfigError), ("an executor was lost", PySparkException)]
)
def test_only_what_lies_in_a_large_file_is_said_to_be_its_fault(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, error: type[Exception]
) -> None:
    monkeypatch.setattr(readers, "_WORTH_A_LOOK", 1)
    monkeypatch.setattr(readers, "halved", lambda *_: spark.sql(f"SELECT raise_error('{said}')").collect())
    pq.write_table(pa.table({"a": range(10)}), tmp_path / "one.parquet")
    with pytest.raises(error, match=said):
        deliver(spark, "sales", Dataset(format="parquet", path=str(tmp_path)), {})


def test_parquet_files_that_differ_in_columns_keep_all_of_them(spark: SparkSession, tmp_path: Path) -> None:
    """The first by name lacks a column, as a later one does another."""
    for name, columns in (("a", "1 AS id"), ("b", "2 AS id, 'x' AS more"), ("c", "3 AS id, 9 AS other")):
        spark.sql(f"SELECT {columns}").coalesce(1).write.parquet(str(tmp_path / name))
    rows = deliver(spark, "sales", Dataset(format="parquet", path=str(tmp_path)), {}).rows
    found = rows.select("id", "more", "other").collect()
    assert sorted(map(tuple, found)) == [(1, None, None), (2, "x", None), (3, None, 9)]


def test_a_missing_file_says_where_to_mend_it(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dataset sales: there is no file at .*nowhere.csv — mend its path"):
        deliver(spark, "sales", csv(tmp_path / "nowhere.csv"), {})


def test_an_empty_folder_is_told(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no file"):
        deliver(spark, "sales", csv(tmp_path), {})


def test_a_variable_that_is_not_set(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAW", raising=False)
    with pytest.raises(ConfigError, match="dataset sales: the variable RAW is not set"):
        deliver(spark, "sales", Dataset(format="csv", path="${RAW}/x"), {})


def test_a_known_file_that_changed_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n2\n")
    with pytest.raises(
        ConfigError, match=r"1 files changed .* a.csv from 4 to 6 bytes, and each is taken in once — take"
    ):
        deliver(spark, "sales", csv(tmp_path), {"a.csv": 4})


def test_names_that_delta_cannot_hold(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Invoice No,No,Paid (EUR),Paid EUR,(€)\n1,2,3,4,5\n")
    with pytest.raises(ConfigError) as raised:
        deliver(spark, "sales", csv(tmp_path), {})
    assert str(raised.value) == (
        "dataset sales: 4 columns have names that cannot be stored, ['Invoice No', 'Paid (EUR)', 'Paid EUR', '(€)']: a "
        "Delta table refuses spaces and any of , ; { } ( ) = in them — name all of them, in the files' order, by "
        '`columns: ["invoice_no", "no", "paid_eur", "paid_eur_4", "column_5"]`'
    )
    told = yaml.safe_load(str(raised.value).rpartition("`columns: ")[2].rstrip("`"))
    rows = deliver(spark, "sales", Dataset(format="csv", path=str(tmp_path), columns=told), {}).rows
    assert (rows.first()["no"], rows.first()["column_5"]) == ("2", "5")


def test_a_separator_that_was_not_told_is_named(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Invoice No;Paid\n1;2\n")
    with pytest.raises(ConfigError, match=r'it is one column: say what separates them, options: \{sep: ";"\}'):
        deliver(spark, "sales", csv(tmp_path), {})


def test_files_with_unlike_headers_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("y,x\n1,2\n")
    rows = deliver(spark, "sales", csv(tmp_path), {}).rows
    with pytest.raises((PySparkException, Py4JJavaError)) as raised:
        rows.collect()
    told = str(unreadable("sales", csv(tmp_path), raised.value))
    assert "its files have different headers" in told
    assert "b.csv" in told


def test_parquet_files_whose_columns_are_of_unlike_types_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    for name, kind in (("a", pa.int64()), ("b", pa.string())):
        pq.write_table(pa.table({"x": pa.array([], kind)}), tmp_path / f"{name}.parquet")
    with pytest.raises(ConfigError, match=r'columns of one name and unlike types: .*"BIGINT" and "STRING".*one type'):
        deliver(spark, "sales", Dataset(format="parquet", path=str(tmp_path)), {})


def test_a_broken_parquet_file_is_named(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("no parquet")
    with pytest.raises(ConfigError, match=r"its files cannot be read as parquet: .*a\.parquet"):
        deliver(spark, "sales", Dataset(format="parquet", path=str(tmp_path)), {})
