"""The pipeline when a job fails: what is told at once, what becomes of the jobs beside it, what is left."""

import errno
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest

import jobs.pipeline as pipeline_script
from jobs.pipeline import JOB, judging
from shoprec import pipeline
from shoprec.errors import ConfigError, ContractBroken
from shoprec.graph import JobEntry
from shoprec.job import parser

DAY = date(2024, 3, 1)
JUDGING = ("ingest", "interactions", "metrics", "report")
PART = {"first": JobEntry(), "beside": JobEntry(), "next": JobEntry(after=("first", "beside"))}


def settings(files: Path) -> SimpleNamespace:
    return SimpleNamespace(env=SimpleNamespace(parallel_jobs=2, files=str(files)), date_at=lambda day, _: day)


def fail(monkeypatch: pytest.MonkeyPatch, place: Path, error: Exception, beside: Exception | None = None) -> None:
    """Run the part: ``first`` fails while ``beside`` is at work, which ends once that has been told."""
    at_work, told = Event(), Event()
    say = pipeline.say

    def run(node: pipeline.Node, *_: object) -> str:
        if node.job == "first":
            at_work.wait(10)
            raise error
        at_work.set()
        assert told.wait(10), "the failure is not told before the job beside it has ended"
        if beside:
            raise beside
        return f"{node.job} for {DAY}: 1.0 s"

    def hear(text: str) -> None:
        say(text)
        if "first failed" in text:
            told.set()

    monkeypatch.setattr(pipeline, "say", hear)
    monkeypatch.setattr(pipeline, "_run", run)
    monkeypatch.setattr(pipeline, "done_before", lambda *_: {})
    monkeypatch.setattr(pipeline, "begin", lambda *_: None)
    monkeypatch.setattr(pipeline, "load_job", lambda _: SimpleNamespace(reads=(), writes=()))
    pipeline.run_part(PART, settings(place), lake_that(lambda _: None), DAY, "run")


def lake_that(ensure: Callable[[Iterable], None]) -> SimpleNamespace:
    """A lake in which nothing is published."""
    return SimpleNamespace(ensure=ensure, spark=None, read=lambda *_, **__: SimpleNamespace(isEmpty=lambda: True))


def test_a_failure_is_told_at_once_and_what_ended_well_is_not_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ContractBroken, match=r"first for 2024-03-01: no rows\n\(run run stopped with 2 jobs left"):
        fail(monkeypatch, tmp_path, ContractBroken("no rows"))
    said = capsys.readouterr().out
    assert "first failed: no rows; waits for beside to end" in said
    assert "beside for 2024-03-01: 1.0 s" in said


def test_a_second_failure_is_told_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ContractBroken, match="stopped with 3 jobs left"):
        fail(monkeypatch, tmp_path, ContractBroken("no rows"), OSError("disk full"))
    assert "beside failed, too: disk full" in capsys.readouterr().out


def test_any_error_says_which_job_of_which_run_it_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk full") as raised:
        fail(monkeypatch, tmp_path, OSError("disk full"))
    assert raised.value.__notes__ == [
        "(first for 2024-03-01, run run, stopped with 2 jobs left; the same command goes on from here)"
    ]


def test_tables_are_made_beside_the_first_job_and_those_that_use_them_wait(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``first`` has no table of the suite's own, and ends before any is made; what is made is what the others use."""
    jobs = {"first": ((), ()), "beside": (("a",), ("b",)), "next": (("b",), ("c",))}
    ended, made, order = Event(), [], []

    def ensure(tables: Iterable) -> None:
        assert ended.wait(10), "the first job waits for tables that it does not use"
        made.extend(tables)
        order.append("tables")

    def carry_out(job: SimpleNamespace, *_: object) -> SimpleNamespace:
        order.append(job.name)
        if job.name == "first":
            ended.set()
        return SimpleNamespace(written=())

    monkeypatch.setattr(pipeline, "begin", lambda *_: None)
    monkeypatch.setattr(pipeline, "carry_out", carry_out)
    monkeypatch.setattr(pipeline, "label_thread", lambda *_: None)
    monkeypatch.setattr(pipeline, "done_before", lambda *_: {})
    monkeypatch.setattr(
        pipeline, "load_job", lambda name: SimpleNamespace(name=name, reads=jobs[name][0], writes=jobs[name][1])
    )
    pipeline.run_part(PART, settings(tmp_path), lake_that(ensure), DAY, "run")
    assert order == ["first", "tables", "beside", "next"]
    assert made == ["a", "b", "c"]

    def refuse(_: Iterable) -> None:
        raise ConfigError("cannot make table a")

    # At once, whatever else is at work; and where nothing is left to do.
    for done in ({}, dict.fromkeys(pipeline.nodes(PART))):
        monkeypatch.setattr(pipeline, "done_before", lambda *_, done=done: done)
        with pytest.raises(ConfigError, match=r"tables for 2024-03-01: cannot make table a\n\(run run stopped with"):
            pipeline.run_part(PART, settings(tmp_path), lake_that(refuse), DAY, "run")
    monkeypatch.setattr(pipeline, "done_before", lambda *_: {})
    order.clear()
    one = settings(tmp_path)
    one.env.parallel_jobs = 1
    pipeline.run_part(PART, one, lake_that(lambda _: order.append("tables")), DAY, "run")
    assert order == ["tables", "first", "beside", "next"]


def test_what_is_to_do_begins_for_its_dates_before_any_of_it_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    order: list[object] = []
    part = {"first": JobEntry(), "twice": JobEntry(after=("first",), at=(-1, 0))}
    told = settings(tmp_path)
    told.date_at = lambda day, at: day + at * timedelta(days=14)

    def begin(to_do: list, lake: SimpleNamespace, run_id: str) -> None:
        order.append((run_id, [(job.name, str(day)) for job, day in to_do]))

    def carry_out(job: SimpleNamespace, told: SimpleNamespace, _: SimpleNamespace, day: date, run_id: str, at: int):
        order.append((job.name, str(told.date_at(day, at))))
        return SimpleNamespace(written=())

    monkeypatch.setattr(pipeline, "done_before", lambda *_: {pipeline.Node("first"): None})
    monkeypatch.setattr(pipeline, "begin", begin)
    monkeypatch.setattr(pipeline, "carry_out", carry_out)
    monkeypatch.setattr(pipeline, "label_thread", lambda *_: None)
    monkeypatch.setattr(pipeline, "load_job", lambda name: SimpleNamespace(name=name, reads=(), writes=()))
    pipeline.run_part(part, told, lake_that(lambda _: None), DAY, "run")
    twice = [("twice", "2024-02-16"), ("twice", "2024-03-01")]
    assert order[0] == ("run", twice)
    assert sorted(order[1:]) == twice


def test_a_run_at_which_another_process_works_is_refused_until_that_is_dead(tmp_path: Path) -> None:
    hold = f"""
from shoprec.pipeline import alone
with alone({str(tmp_path)!r}, "run"):
    print("held", flush=True)
    input()
"""
    other = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    with (
        pytest.raises(ConfigError, match=f"run run is being made by process {other.pid} on "),
        pipeline.alone(str(tmp_path), "run"),
    ):
        pass
    with pipeline.alone(str(tmp_path), "another run"):
        pass
    other.kill()
    other.wait()
    with pipeline.alone(str(tmp_path), "run"):
        pass


def test_where_nothing_can_be_locked_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(pipeline.fcntl, "flock", refuse)
    with pipeline.alone(str(tmp_path), "run"):
        pass
    assert "run cannot be locked ([Errno 37] No locks available): see to it" in capsys.readouterr().out


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match="cannot write below .*file/below: .* choose another place with --set files="),
        pipeline.alone(str(tmp_path / "file" / "below"), "run"),
    ):
        pass


def test_what_is_told_to_judge_a_run_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    told = ["--as-of", "2024-06-01", "--shop", "my shop.yml", "--set", "tables=/data/lake", "--set", "files=/f"]

    def commands() -> list[list[str]]:
        return [shlex.split(one) for one in judging(parser(JOB).parse_args(told), date(2024, 6, 15))]

    monkeypatch.setattr(sys, "argv", ["/usr/bin/shoprec", *told])
    assert [one[:2] for one in commands()] == [["shoprec", job] for job in JUDGING]
    monkeypatch.setattr(sys, "argv", [pipeline_script.__file__, *told])
    for one, job in zip(commands(), JUDGING, strict=True):
        args = parser(JOB).parse_args(one[2:])
        assert (str(args.as_of), args.shop, args.settings) == ("2024-06-15", "my shop.yml", [told[5], told[7]])
        assert args.run_id == ("judging-2024-06-15" if job in ("ingest", "interactions") else None)
        assert Path(one[1]).name == f"{job}.py"
    helped = subprocess.run([*one[:2], "--help"], capture_output=True, text=True, check=True)
    assert "usage: report.py" in helped.stdout
