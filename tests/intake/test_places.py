"""Variables and packages in the paths of a shop's YAML."""

import sys
from pathlib import Path

import pytest

from shoprec.errors import ConfigError
from shoprec.intake.places import expand


def test_variables_and_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAW", "/raw")
    monkeypatch.delenv("DAY", raising=False)
    assert expand("${RAW}/${DAY:-2020}/x", "a path") == "/raw/2020/x"


def test_a_missing_variable_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAW", raising=False)
    with pytest.raises(ConfigError, match="dataset sales: the variable RAW is not set — export RAW="):
        expand("${RAW}/x", "dataset sales")


def test_a_package_is_found_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raw_package").mkdir()
    (tmp_path / "raw_package" / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert expand("${package:raw_package}/data", "a path") == f"{tmp_path}/raw_package/data"
    assert "raw_package" not in sys.modules


def test_a_missing_package_is_named() -> None:
    with pytest.raises(ConfigError, match="the package no_such_package is not installed"):
        expand("${package:no_such_package}", "dataset sales")
