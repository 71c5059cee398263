"""The benchmark's own command, on tiny splits with a planted order."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.small_run import QUICK, ROOT, SMALL, arguments, environment

USERS, ITEMS, LONG = 150, 40, 8

TINY = ("sequence.epochs=1", "sequence.width=16", "recommendations.workers=1")


def judged(folder: Path, protocol: str, test: pd.DataFrame, *more: str) -> subprocess.CompletedProcess:
    """Users go from item to item, each to the next one; what ``test`` holds is not in the train part."""
    steps = [(f"u{u}", f"i{(u * 7 + n) % ITEMS}", n) for u in range(USERS) for n in range(LONG)]
    every = pd.DataFrame(steps, columns=["user_id", "item_id", "position"])
    train = every.merge(test, on=["user_id", "item_id"], how="left", indicator=True)
    train = train[train.pop("_merge") == "left_only"]
    if protocol == "ratio":
        train = train.drop(columns="position")
    train.to_csv(folder / "train.csv", index=False)
    test.to_parquet(folder / "test.parquet")
    command = [sys.executable, ROOT / "jobs/benchmark.py", "--train", folder / "train.csv", "--protocol", protocol]
    command += ["--test", folder / "test.parquet", "--out", folder / "found" / "result.json"]
    command += ["--minutes=0.01", *more]
    command += arguments(*SMALL, *QUICK, *TINY)
    return subprocess.run(command, env=environment(), cwd=folder, capture_output=True, text=True, check=False)


def last(users: range) -> pd.DataFrame:
    return pd.DataFrame([(f"u{u}", f"i{(u * 7 + LONG - 1) % ITEMS}") for u in users], columns=["user_id", "item_id"])


@pytest.mark.whole
@pytest.mark.parametrize("protocol", ["leave_last_out", "ratio"])
def test_a_split_is_judged_and_leaves_the_figures_alone(tmp_path, protocol):
    test = last(range(USERS) if protocol == "leave_last_out" else range(100, USERS))
    unknown = pd.DataFrame({"user_id": ["new"], "item_id": ["i1"]})
    test = pd.concat([test, unknown])
    ended = judged(tmp_path, protocol, test, "--exclude-seen")
    assert ended.returncode == 0, ended.stderr
    assert [path.name for path in (tmp_path / "found").iterdir()] == ["result.json"]
    found = json.loads((tmp_path / "found" / "result.json").read_text())
    assert found["split"]["test_users"] == len(test)
    assert {"fused", "co_visit", "linear", "sequence", "content", "als", "popular"} < set(found)
    metric = "hit_rate@10" if protocol == "leave_last_out" else "recall@10"
    assert found["co_visit"][metric] > 0.9
    assert found["fused"][metric] > found["popular"][metric]
    assert found["co_visit"][metric] < 1  # the unknown user
    assert found["seconds"] > 0 < found["cpu_seconds"]
    assert found["settings"]["recommendations"]["sources"] == list(found["settings"]["candidates"]["sources"])


def test_a_split_that_is_another_is_refused_and_its_folder_told(tmp_path):
    test = pd.concat([last(range(USERS)), pd.DataFrame({"user_id": ["u1"], "item_id": ["i0"]})])
    ended = judged(tmp_path, "leave_last_out", test)
    assert ended.returncode == 2
    assert "1 of 150 users have more than one test item" in ended.stderr
    assert "becomes a shop in" in ended.stdout
    assert not (tmp_path / "found" / "result.json").exists()
