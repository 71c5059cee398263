"""The demo's own concerns: what it removes before it starts anew."""

from pathlib import Path

from jobs.demo import remove_finished


def test_only_what_a_demo_made_is_removed(tmp_path: Path) -> None:
    for name in ("lake/gold/x.parquet", "files/model", "export/manifest.json", "mine/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    for name in ("summary.json", "report.html", "mine.csv"):
        (tmp_path / name).write_text("{}")
    remove_finished(tmp_path)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()) == [
        "mine.csv",
        "mine/notes.txt",
    ]
