"""The export: documents, manifest, proof against damage, and what a run that died leaves behind."""

import hashlib
import json
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from shoprec.errors import ConfigError, ContractBroken, PublishConflict
from shoprec.exports import bulk
from shoprec.exports.bulk import export, verify
from shoprec.exports.recommendations import documents

USERS = 7
SCHEMA = (
    "list string, market string, user_id string, rank int, item_id string, score double, sources array<string>, "
    "reasons array<string>"
)


def recommended(users: int = USERS) -> list[tuple]:
    """u0 … : user n has n + 1 items in 'all', and one in 'discovery' where n is even; ranks come in falling order."""
    rows = []
    for n in range(users):
        for rank in range(n + 1, 0, -1):
            rows.append(("all", "m", f"u{n}", rank, f"i{rank}", 1 / (rank + 1), ["als"], ["Bought once, 2 days ago"]))
        if n % 2 == 0:
            rows.append(("discovery", "m", f"u{n}", 1, "i9", 0.25, ["als", "popular"], ["Selling more than usual"]))
    return rows


@pytest.fixture(scope="module")
def lines(spark: SparkSession) -> DataFrame:
    items = spark.createDataFrame([(f"i{n}", f"Item „{n}“") for n in range(1, 9)], "item_id string, name string")
    return documents(spark.createDataFrame(recommended(), SCHEMA), items, date(2024, 3, 1), "run-1")


@pytest.fixture(scope="module")
def exported(lines: DataFrame, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("export")
    return out, export(lines, str(out), ("parquet", "jsonl"), 3, {"run_id": "run-1"})


def read_jsonl(out: Path, manifest: dict) -> list[dict]:
    paths = [out / entry["path"] for entry in manifest["files"] if entry["format"] == "jsonl"]
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def test_one_line_a_user_with_both_lists_in_order(exported: tuple[Path, dict]) -> None:
    out, manifest = exported
    told = {line["user_id"]: line for line in read_jsonl(out, manifest)}
    assert len(told) == USERS == manifest["users"]
    two = told["u2"]
    assert (two["market"], two["as_of"], two["run_id"]) == ("m", "2024-03-01", "run-1")
    assert [entry["item_id"] for entry in two["all"]] == ["i1", "i2", "i3"]
    assert two["all"][0] == {
        "rank": 1, "item_id": "i1", "name": "Item „1“", "score": 0.5, "reasons": ["Bought once, 2 days ago"],
        "sources": ["als"],
    }  # fmt: skip
    assert [(entry["item_id"], entry["name"]) for entry in two["discovery"]] == [("i9", None)]
    assert told["u1"]["discovery"] == []


def test_parquet_and_json_lines_hold_the_same(exported: tuple[Path, dict]) -> None:
    out, manifest = exported
    tables = [pq.ParquetFile(out / e["path"]).read() for e in manifest["files"] if e["format"] == "parquet"]
    parquet = {row["user_id"]: row for table in tables for row in table.to_pylist()}
    assert parquet == {line["user_id"]: line for line in read_jsonl(out, manifest)}


def test_a_small_shops_lists_are_one_file_however_they_were_made(lines: DataFrame, tmp_path: Path) -> None:
    manifest = export(lines.repartition(5), str(tmp_path), ("jsonl",), 100, {})
    assert [entry["users"] for entry in manifest["files"]] == [USERS]


def test_the_manifests_counts_and_hashes_hold(exported: tuple[Path, dict]) -> None:
    """Counted and hashed by other means: 1 + … + 7 items in 'all', four in 'discovery'; at most 3 users a file."""
    out, manifest = exported
    assert json.loads((out / "manifest.json").read_text()) == manifest
    assert manifest["recommendations"] == {"all": 28, "discovery": 4}
    for entry in manifest["files"]:
        content = (out / entry["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])
        lines = content.splitlines() if entry["format"] == "jsonl" else pq.ParquetFile(out / entry["path"]).read()
        assert 0 < len(lines) == entry["users"] <= 3
    assert verify(str(out)) == manifest


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "add"])
def test_damage_is_found(lines: DataFrame, tmp_path: Path, damage: str) -> None:
    manifest = export(lines, str(tmp_path), ("jsonl",), 10, {})
    file = tmp_path / manifest["files"][0]["path"]
    content = file.read_bytes()
    if damage == "flip":
        file.write_bytes(content.replace(b"als", b"ALS", 1))
    elif damage == "cut":
        file.write_bytes(content[:-1])
    elif damage == "remove":
        file.unlink()
    else:
        (file.parent / "part-99999.json").write_bytes(b"{}\n")
    words = {"flip": "SHA-256", "cut": "bytes instead of", "remove": "is missing", "add": "not in the manifest"}
    with pytest.raises(ContractBroken, match=words[damage]):
        verify(str(tmp_path))


def test_without_a_manifest_there_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match=r"there is no manifest.json"):
        verify(str(tmp_path))


def test_a_run_that_dies_midway_is_not_seen_and_the_next_cleans_up(
    lines: DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies between two formats: readers keep the old export; the next run replaces it, and what was left over."""
    before = export(lines, str(tmp_path), ("jsonl",), 10, {"try": 1})
    real = bulk._write

    def dying(documents: DataFrame, root: str, folder: str, name: str, users_per_file: int) -> list:
        if name == "parquet":
            raise OSError("disk full")
        return real(documents, root, folder, name, users_per_file)

    monkeypatch.setattr(bulk, "_write", dying)
    with pytest.raises(OSError, match="disk full"):
        export(lines.limit(2), str(tmp_path), ("jsonl", "parquet"), 10, {"try": 2})
    monkeypatch.undo()
    assert verify(str(tmp_path)) == before
    again = export(lines.where("user_id < 'u3'"), str(tmp_path), ("jsonl",), 10, {"try": 3})
    assert verify(str(tmp_path)) == again
    assert (again["users"], again["try"]) == (3, 3)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {before["folder"], again["folder"]}


def test_the_same_recommendations_give_the_same_bytes(
    lines: DataFrame, exported: tuple[Path, dict], tmp_path: Path
) -> None:
    again = export(lines, str(tmp_path), ("parquet", "jsonl"), 3, {})
    digests = [[(e["format"], e["users"], e["sha256"]) for e in m["files"]] for m in (exported[1], again)]
    assert digests[0] == digests[1]


def test_what_else_lies_in_the_place_is_left_alone(lines: DataFrame, tmp_path: Path) -> None:
    for name in ("vendors", "v1-old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "theirs").touch()
    *_, before, last = (export(lines, str(tmp_path), ("parquet",), 3, {"run_id": "run-1"})["folder"] for _ in range(3))
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", "v1-old", before, last, "vendors"}
    assert (tmp_path / "vendors" / "theirs").exists()


def test_who_copies_the_files_of_the_manifest_before_finds_them(lines: DataFrame, tmp_path: Path) -> None:
    before = export(lines, str(tmp_path), ("jsonl",), 10, {})
    export(lines, str(tmp_path), ("jsonl",), 10, {})
    assert all((tmp_path / entry["path"]).exists() for entry in before["files"])


def test_of_two_exports_at_once_the_first_to_end_stands(
    lines: DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other begins and ends while this one writes; both begin at the same manifest."""
    before = export(lines, str(tmp_path), ("jsonl",), 10, {"by": "me"})
    real = bulk._write
    other = []

    def meanwhile(*told: object) -> list:
        monkeypatch.undo()
        other.append(export(lines, str(tmp_path), ("jsonl",), 10, {"by": "other"}))
        assert verify(str(tmp_path)) == other[0]
        return real(*told)

    monkeypatch.setattr(bulk, "_write", meanwhile)
    with pytest.raises(PublishConflict, match="another export was put there meanwhile and stands"):
        export(lines, str(tmp_path), ("jsonl",), 10, {"by": "me"})
    assert verify(str(tmp_path)) == other[0]
    again = export(lines, str(tmp_path), ("jsonl",), 10, {"by": "me"})
    folders = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert folders == {other[0]["folder"], again["folder"]} != {before["folder"]}


def test_lists_of_an_earlier_date_do_not_replace_those_of_a_later(lines: DataFrame, tmp_path: Path) -> None:
    later = export(lines, str(tmp_path), ("jsonl",), 10, {"as_of": "2024-03-15"})
    with pytest.raises(ConfigError, match="the lists of 2024-03-15 lie there, those of 2024-03-01 are older"):
        export(lines, str(tmp_path), ("jsonl",), 10, {"as_of": "2024-03-01"})
    assert verify(str(tmp_path)) == later


def test_files_that_hold_fewer_users_than_were_given_are_not_put(
    lines: DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bulk._write
    monkeypatch.setattr(bulk, "_write", lambda written, *told: real(written.limit(3), *told))
    with pytest.raises(ContractBroken, match="of 7 users, its files hold .*'users': 3"):
        export(lines, str(tmp_path), ("jsonl",), 10, {})
    with pytest.raises(ContractBroken, match="no export was finished there"):
        verify(str(tmp_path))
