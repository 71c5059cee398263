"""The pipeline when a job fails: what is told at once, what becomes of the jobs beside it, what is left."""

from datetime import date
from threading import Event
from types import SimpleNamespace

import pytest

from shoprec import pipeline
from shoprec.errors import ContractBroken
from shoprec.graph import JobEntry

DAY = date(2024, 3, 1)
PART = {"first": JobEntry(), "beside": JobEntry(), "next": JobEntry(after=("first", "beside"))}


@pytest.fixture
def lake() -> SimpleNamespace:
    """A lake in which nothing is published."""
    return SimpleNamespace(read=lambda *_, **__: SimpleNamespace(isEmpty=lambda: True))


def fail(monkeypatch: pytest.MonkeyPatch, lake: SimpleNamespace, error: Exception, beside: Exception | None) -> None:
    """Run the part: ``first`` fails while ``beside`` is at work, which ends once that has been told."""
    at_work, told = Event(), Event()
    say = pipeline.say

    def run(name: str, *_: object) -> str:
        if name == "first":
            at_work.wait(10)
            raise error
        at_work.set()
        assert told.wait(10), "the failure is not told before the job beside it has ended"
        if beside:
            raise beside
        return f"{name} for {DAY}: 1.0 s"

    def hear(text: str) -> None:
        say(text)
        if "first failed" in text:
            told.set()

    monkeypatch.setattr(pipeline, "say", hear)
    monkeypatch.setattr(pipeline, "_run", run)
    monkeypatch.setattr(pipeline, "done_before", lambda *_: {})
    settings = SimpleNamespace(env=SimpleNamespace(parallel_jobs=2), date_at=lambda day, _: day)
    pipeline.run_part(PART, settings, lake, DAY, "run")


def test_a_failure_is_told_at_once_and_what_ended_well_is_not_left(
    monkeypatch: pytest.MonkeyPatch, lake: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ContractBroken, match=r"first for 2024-03-01: no rows\n\(run run stopped with 2 jobs left"):
        fail(monkeypatch, lake, ContractBroken("no rows"), None)
    said = capsys.readouterr().out
    assert "first failed: no rows; waits for beside to end" in said
    assert "beside for 2024-03-01: 1.0 s" in said


def test_a_second_failure_is_told_too(
    monkeypatch: pytest.MonkeyPatch, lake: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ContractBroken, match="stopped with 3 jobs left"):
        fail(monkeypatch, lake, ContractBroken("no rows"), OSError("disk full"))
    assert "beside failed, too: disk full" in capsys.readouterr().out


def test_any_error_says_which_job_of_which_run_it_ended(monkeypatch: pytest.MonkeyPatch, lake: SimpleNamespace) -> None:
    with pytest.raises(OSError, match="disk full") as raised:
        fail(monkeypatch, lake, OSError("disk full"), None)
    assert raised.value.__notes__ == [
        "(first for 2024-03-01, run run, stopped with 2 jobs left; the same command goes on from here)"
    ]
