"""interactions: from bronze to silver and quarantine, with every row accounted for."""

from datetime import datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from shoprec.contracts.silver import INTERACTIONS, QUARANTINE, RECONCILIATION
from shoprec.errors import ConfigError
from shoprec.lake import Lake
from tests.jobs.desk import Desk, sale

ACCOUNT = ("dataset", "read", "passed_over", "refused", "duplicate", "kept")


@pytest.fixture(scope="module")
def taken_in(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A shop with every kind of row in one day's file, and one delivery of the next month."""
    folder = tmp_path_factory.mktemp("interactions")
    desk = Desk(Lake(spark, str(folder / "lake")), folder / "raw")
    desk.deliver(
        "1.csv",
        [
            sale("a", "2024-01-01", "u1", "tea", "2", "5.00"),
            sale("a", "2024-01-01", "u1", "tea", "2", "5.00"),
            sale("b", "2024-01-02", "u2", "mug"),
            sale("c", "2024-01-02", "u2", "bag"),
            sale("d", "2024-01-02", "", "mug"),
            sale("e", "2024-01-02", "nobody", "mug"),
            sale("f", "2024-01-02", "u2", "mug", "some"),
            sale("g", "2024-01-02", "u2", "mug", "0"),
            sale("h", "2024-01-31", "u2", "vase", arrived="2024-02-03 00:00:00"),
            "i,half a line",
        ],
    )
    desk.deliver("2.csv", [sale("k", "2024-02-01", "u1", "mug"), sale("b", "2024-01-02", "u2", "mug")])
    desk.deliver_goods()
    desk.run("ingest")
    return desk


@pytest.fixture
def desk(taken_in: Desk, lake: Lake, tmp_path: Path) -> Desk:
    return taken_in.copied(lake, tmp_path)


def test_what_arrives_while_the_first_run_works_is_taken_in_by_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late() -> None:
        desk.deliver("3.csv", [sale("z", "2024-02-02", "u1", "tea")])
        desk.run("ingest")

    desk.meanwhile(monkeypatch, late)
    desk.run("interactions")
    assert desk.rows(INTERACTIONS, "event_key") == [(f"sales:{line}",) for line in "abhk"]
    desk.run("interactions")
    assert desk.rows(INTERACTIONS, "event_key") == [(f"sales:{line}",) for line in "abhkz"]


def files_of(desk: Desk) -> dict[str, set[str]]:
    """The data files of each month, as another reader of Delta sees them."""
    actions = DeltaTable(desk.lake.location(INTERACTIONS)).get_add_actions(flatten=True)
    months: dict[str, set[str]] = {}
    for path in actions.column("path").to_pylist():
        months.setdefault(path.split("/")[0], set()).add(path)
    return months


def test_every_row_is_in_silver_in_quarantine_a_duplicate_or_of_another_table(desk: Desk) -> None:
    desk.run("interactions")
    columns = (
        "event_key",
        "event_at",
        "known_at",
        "domain",
        "user_id",
        "item_id",
        "quantity",
        "amount",
        "month",
        "source",
    )
    got = [(*row[:1], *row[3:]) for row in desk.rows(INTERACTIONS, *columns)]
    assert [(r[0], r[1], r[2], r[3], str(r[4]), str(r[5]), *r[6:]) for r in got] == [
        ("sales:a", "drinks", "u1", "tea", "2.000", "5.00", "2024-01", "sales"),
        ("sales:b", "things", "u2", "mug", "1.000", "2.50", "2024-01", "sales"),
        ("sales:h", "unknown", "u2", "vase", "1.000", "2.50", "2024-01", "sales"),
        ("sales:k", "things", "u1", "mug", "1.000", "2.50", "2024-02", "sales"),
    ]
    known = dict(desk.rows(INTERACTIONS, "event_key", "known_at"))
    assert known["sales:h"] == datetime(2024, 2, 3)
    assert known["sales:a"] == datetime(2024, 1, 1, 10, 5)
    assert desk.rows(QUARANTINE, "dataset", "_file", "reason") == [
        ("sales", "1.csv", "n is not int"),
        ("sales", "1.csv", "nobody"),
        ("sales", "1.csv", "quantity is not above 0"),
        ("sales", "1.csv", "the line does not parse"),
        ("sales", "1.csv", "user_id is missing"),
    ]
    assert '"_unparsed":"i,half a line"' in str(desk.rows(QUARANTINE, "raw"))
    # 12 rows: c is of another table; five are refused; a stands twice in its file and b came again with the next.
    assert desk.rows(RECONCILIATION, *ACCOUNT) == [("sales", 12, 1, 5, 2, 4)]
    assert desk.said[-2:] == [
        "sales: 12 read = 4 kept + 5 refused + 2 duplicate + 1 passed over",
        "refused: 1 rows of sales for 'n is not int', 1 rows of sales for 'nobody', 1 rows of sales for "
        "'quantity is not above 0', 2 for 2 more reasons (silver.quarantine)",
    ]


def test_only_months_that_changed_are_written_again(desk: Desk) -> None:
    desk.run("interactions")
    before = files_of(desk)
    assert desk.run("interactions").written[0].table != "interactions"
    assert files_of(desk) == before
    late = sale("l", "2024-02-02", "u2", "tea", arrived="2024-03-05 00:00:00")
    corrected = sale("k", "2024-02-01", "u1", "mug", "3", "7.50", arrived="2024-02-09 00:00:00")
    desk.deliver("3.csv", [late, corrected])
    desk.run("ingest")
    desk.run("interactions")
    after = files_of(desk)
    assert after["month=2024-01"] == before["month=2024-01"]
    assert after["month=2024-02"] != before["month=2024-02"]
    versions = [
        (str(q), s) for k, q, s in desk.rows(INTERACTIONS, "event_key", "quantity", "superseded_at") if k == "sales:k"
    ]
    assert versions == [("1.000", datetime(2024, 2, 9)), ("3.000", None)]
    assert desk.rows(RECONCILIATION, *ACCOUNT) == [("sales", 14, 1, 5, 2, 6)]


def test_in_steps_or_at_once_the_table_is_the_same(desk: Desk, tmp_path: Path) -> None:
    """Files taken in one by one, the job run in between, end as the same files taken in together."""
    desk.run("interactions")
    desk.deliver("3.csv", [sale("b", "2024-03-02", "u2", "mug", "9", arrived="2024-03-02 11:00:00")])
    desk.run("ingest")
    desk.run("interactions")
    at_once = Desk(Lake(desk.lake.spark, str(tmp_path / "lake2")), desk.place)
    at_once.run("ingest")
    at_once.run("interactions")
    assert at_once.rows(INTERACTIONS, *INTERACTIONS.names) == desk.rows(INTERACTIONS, *INTERACTIONS.names)
    assert at_once.rows(RECONCILIATION, *ACCOUNT) == desk.rows(RECONCILIATION, *ACCOUNT)
    moved = [m for k, m in desk.rows(INTERACTIONS, "event_key", "month") if k == "sales:b"]
    assert moved == ["2024-01", "2024-03"]


def test_another_mapping_makes_all_months_again(desk: Desk) -> None:
    desk.run("interactions")
    desk.yaml = desk.yaml.replace("market: \"'eu'\"", "market: \"'web'\"").replace(
        "what != 'bag'", "at >= '2024-02-01'"
    )
    desk.run("interactions")
    assert desk.rows(INTERACTIONS, "event_key", "market", "month") == [("sales:k", "web", "2024-02")]
    assert desk.rows(RECONCILIATION, *ACCOUNT) == [("sales", 12, 9, 2, 0, 1)]


def test_where_every_row_was_refused_it_is_said_why(desk: Desk) -> None:
    desk.yaml = desk.yaml.replace("types: {at: timestamp,", "types: {line: int, at: timestamp,")
    why = (
        "there are none in the lake, refused were 11 rows of sales for 'line is not int', 1 rows of sales for "
        "'the line does not parse' — "
    )
    with pytest.raises(ConfigError, match=why):
        desk.run("interactions")
    assert desk.rows(INTERACTIONS, "event_id") == []


def test_an_expression_that_a_row_has_no_value_for_is_told(desk: Desk) -> None:
    desk.yaml = desk.yaml.replace("nobody: who = 'nobody'", "late: line + 1 > 9")
    why = r"tables\.interactions of dataset sales: an expression .* for a row, at 'line \+ 1': .*'\w'.*types"
    with pytest.raises(ConfigError, match=why):
        desk.run("interactions")
