"""What every job's main shares: arguments, exit codes, messages, help."""

import os
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyspark.sql import SparkSession

from shoprec import job as jobs
from shoprec import resources
from shoprec.context import Job, JobContext, known_before
from shoprec.contracts.gold import SAMPLES
from shoprec.contracts.gold_runs import JOB_RUNS, RUNS
from shoprec.errors import ConfigError, ContractBroken
from shoprec.graph import JobEntry, Node
from shoprec.job import cli, load_job, parser
from shoprec.lake import Lake
from shoprec.records import begin, carry_out, perform
from shoprec.runs import done_before, publish
from shoprec.session import check_java, check_memory
from tests.small_tables import rows

GOLDEN = Path(__file__).parent / "golden" / "help"
SHOP = """
name: tiny
currency: EUR
datasets:
  sales: {format: csv, path: PLACE/*.csv}
tables:
  interactions:
    - dataset: sales
      columns:
        {event_at: at, market: "'eu'", domain: "'all'", type: "'purchase'", user_id: who, item_id: what, quantity: "1"}
  items:
    - dataset: sales
      columns: {item_id: what, domain: "'all'"}
"""


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Arguments of a job on a shop of one CSV file, with a lake of its own."""
    (tmp_path / "day.csv").write_text("at,who,what\n2024-01-02 10:00:00,u1,i1\n2024-01-03 11:00:00,u2,i1\n")
    (tmp_path / "tiny.yml").write_text(SHOP.replace("PLACE", str(tmp_path)))
    # A job sets what its environment says on the session that is there, which is that of all tests.
    places = [f"tables={tmp_path}/lake", f"files={tmp_path}/files", "memory_gib=0", "spark.sql.shuffle.partitions=2"]
    return ["--as-of", "2024-02-01", "--shop", str(tmp_path / "tiny.yml"), *(x for p in places for x in ("--set", p))]


def refused(name: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        cli(load_job(name), arguments)
    return left.value.code, capsys.readouterr().err


@pytest.mark.parametrize("name", resources.job_names())
def test_help_says_what_a_job_reads_and_writes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The help of every job is what stands in tests/golden/help (SHOPREC_GOLDEN=write writes it anew)."""
    monkeypatch.setenv("COLUMNS", "100")
    job = load_job(name)
    own = getattr(resources.job_module(name), "form", None)
    text = (own() if own else parser(job)).format_help()
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("SHOPREC_GOLDEN") == "write":
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()
    assert text.count("\n") > 5
    for table in (*job.reads, *job.writes):
        assert f"{table.layer}.{table.name}" in text


def test_a_date_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused("samples", [], capsys)
    assert code == 2
    assert "--as-of" in said


def test_a_date_that_is_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused("samples", ["--as-of", "2017-13-01"], capsys)
    assert code == 2
    assert "'2017-13-01' is no date yyyy-mm-dd" in said


def test_an_unknown_setting_names_the_nearest(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused("als", [*arguments, "--set", "als.rnak=9"], capsys)
    assert code == 2
    assert "did you mean 'als.rank'?" in said


def test_an_as_of_date_before_any_data_is_named(
    spark: SparkSession, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """By the job that makes interactions, whose table stands then, and by any after it."""
    early = ["2023-01-01" if value == "2024-02-01" else value for value in arguments]
    cli(load_job("ingest"), arguments)
    for job in ("interactions", "user_index"):
        code, said = refused(job, early, capsys)
        assert code == 2
        assert "no interaction was known before 2023-01-01: those in the lake were known from 2024-01-02" in said
    cli(load_job("interactions"), arguments)


def test_an_unwritable_lake_is_named(
    spark: SparkSession, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = refused("ingest", [*arguments, "--set", f"tables={tmp_path}/day.csv/lake"], capsys)
    assert code == 2
    assert "cannot make table" in said


def test_a_table_that_was_not_made_yet_is_named(
    spark: SparkSession, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job alone makes the tables that it reads and writes and those about runs, no others: they are soon checked."""
    code, said = refused("interactions", arguments, capsys)
    assert code == 2
    assert "bronze.sales is not in the lake" in said
    made = {f"{table.parent.name}.{table.name}" for table in (tmp_path / "lake").glob("*/*")}
    own = {"silver.interactions", "silver.quarantine", "silver.reconciliation"}
    assert made == own | {"gold.runs", "gold.job_runs"}


def fails_with(error: Exception) -> Job:
    def run(job: JobContext) -> None:
        raise error

    return Job(name="samples", about="fails", run=run)


@pytest.mark.parametrize(("error", "code"), [(ContractBroken("x"), 3), (ConfigError("x"), 2), (ValueError("x"), 1)])
def test_exit_codes(
    error: Exception, code: int, spark: SparkSession, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli(fails_with(error), arguments)
    assert left.value.code == code
    assert type(error).__name__ in capsys.readouterr().err


def test_java_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ConfigError, match="Java is missing: .*apt-get install openjdk-17"):
        check_java()


def test_too_little_memory_is_said_before_anything_starts() -> None:
    check_memory(0.001)
    with pytest.raises(ConfigError, match=r"too little memory: \d+\.\d GiB are free, .* asks for 100000 GiB"):
        check_memory(100_000)


def test_known_before_follows_the_four_kinds_of_knowledge(spark: SparkSession) -> None:
    moment = datetime(2024, 2, 1)
    rows = spark.createDataFrame(
        [
            ("before", datetime(2024, 1, 31, 23, 59), None),
            ("at", moment, None),
            ("corrected later", datetime(2024, 1, 1), datetime(2024, 2, 1)),
            ("corrected before", datetime(2024, 1, 1), datetime(2024, 1, 31)),
        ],
        "name string, known_at timestamp, superseded_at timestamp",
    )
    assert {r["name"] for r in known_before(rows, date(2024, 2, 1)).collect()} == {"before", "corrected later"}


def test_timeless_attributes_are_always_known(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [("a", datetime(2030, 1, 1), True), ("b", datetime(2030, 1, 1), False)],
        "name string, known_at timestamp, timeless boolean",
    )
    assert [r["name"] for r in known_before(rows, date(2024, 1, 1)).collect()] == ["a"]


def test_a_job_that_does_not_exist_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="there is no job 'pipelin': did you mean 'pipeline'?"):
        jobs.load_job("pipelin")


def test_a_published_run_is_not_written_again(lake: Lake) -> None:
    """A job that makes tables of runs refuses; one that writes what readers see anyway (here none) goes on."""
    lake.ensure([RUNS, JOB_RUNS])
    told = {"shop": "s", "horizon": 14, "gate": "{}", "seeds": "{}", "digests": "{}", "settings_hash": "h"}
    day = date(2024, 2, 1)
    row = {"run_id": "seen", "as_of": day, "predecessor": "", "sequence": 1, "published_at": datetime(2024, 2, 1)}
    called = []
    maker = Job(name="samples", about="x", run=lambda _: called.append("maker"), writes=(SAMPLES,))
    reader = Job(name="samples", about="x", run=lambda _: called.append("reader"))
    settings = SimpleNamespace(job_digest=lambda _: "h", decisive=lambda _: {}, date_at=lambda as_of, _: as_of)
    perform(maker, settings, lake, day, "seen")
    # By another process, while this one is between two jobs.
    publish(Lake(lake.spark, lake.tables), {**row, **told})
    with pytest.raises(ConfigError, match="run seen is published .* samples would write its samples again"):
        carry_out(maker, settings, lake, day, "seen")
    assert called.pop() == "maker"
    with pytest.raises(ConfigError, match="run seen is published .* samples would write its samples again"):
        perform(maker, settings, lake, day, "seen")
    perform(reader, settings, lake, day, "seen")
    perform(maker, settings, lake, day, "another")
    assert called == ["reader", "maker"]


def test_a_job_that_fails_at_its_second_time_is_no_longer_done(lake: Lake) -> None:
    """What it wrote before may be gone by halves: neither the pipeline nor the gate may go by its old record."""
    lake.ensure([RUNS, JOB_RUNS])
    day, other = date(2024, 2, 1), date(2024, 1, 18)
    settings = SimpleNamespace(
        job_digest=lambda _: "h", decisive=lambda _: {}, date_at=lambda as_of, at: as_of + at * timedelta(days=14)
    )
    part = {"samples": JobEntry(at=(-1, 0))}
    well = Job(name="samples", about="x", run=lambda _: None)
    for at in (day, other):
        perform(well, settings, lake, at, "run")
    assert done_before(lake, "run", settings, part, day).keys() == {Node("samples"), Node("samples", -1)}
    with pytest.raises(ContractBroken):
        perform(fails_with(ContractBroken("x")), settings, lake, day, "run")
    assert done_before(lake, "run", settings, part, day).keys() == {Node("samples", -1)}
    perform(well, settings, lake, day, "run")
    assert len(rows(lake, JOB_RUNS)) == 2


def test_of_jobs_that_begin_together_each_is_no_longer_done_for_its_date_alone(lake: Lake) -> None:
    lake.ensure([RUNS, JOB_RUNS])
    day, other = date(2024, 2, 1), date(2024, 1, 18)
    settings = SimpleNamespace(job_digest=lambda _: "h", decisive=lambda _: {}, date_at=lambda as_of, _: as_of)
    one, two = (Job(name=name, about="x", run=lambda _: None) for name in ("samples", "als"))
    for job, at, run in ((one, day, "run"), (one, other, "run"), (two, other, "run"), (one, day, "another")):
        perform(job, settings, lake, at, run)
    begin([(one, day), (two, day)], lake, "run")
    left = {(row["run_id"], row["job"], row["as_of"]) for row in rows(lake, JOB_RUNS)}
    assert left == {("run", "samples", other), ("run", "als", other), ("another", "samples", day)}


def test_a_job_before_its_turn_names_what_is_missing(
    spark: SparkSession, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = refused("als", arguments, capsys)
    assert code == 2
    assert "als reads samples, of which run 2024-02-01-tiny-" in said
    assert "run the jobs before it" in said
