"""users: what is known of users apart from behaviour."""

from datetime import datetime
from pathlib import Path

from shoprec.contracts.silver import RECONCILIATION, USERS
from shoprec.lake import Lake
from tests.jobs.desk import Desk, sale


def test_a_user_is_known_from_the_first_row(lake: Lake, tmp_path: Path) -> None:
    desk = Desk(lake, tmp_path / "raw")
    lines = [
        sale("a", "2024-01-03", "u1", "tea"),
        sale("b", "2024-01-01", "u1", "tea"),
        sale("c", "2024-01-02", "", "tea"),
    ]
    desk.deliver("1.csv", lines)
    desk.deliver_goods()
    desk.run("ingest")
    desk.run("users")
    assert desk.rows(USERS, "user_id", "valid_from", "timeless") == [("u1", datetime(2024, 1, 1, 10), False)]
    columns = ("dataset", "read", "passed_over", "refused", "duplicate", "kept")
    assert desk.rows(RECONCILIATION, *columns) == [("sales", 3, 1, 0, 1, 1)]
    desk.yaml = desk.yaml[: desk.yaml.index("  users:")]
    desk.run("users")
    assert [desk.rows(table) for table in (USERS, RECONCILIATION)] == [[], []]


def test_a_shop_may_know_nothing_of_its_users(lake: Lake, tmp_path: Path) -> None:
    desk = Desk(lake, tmp_path / "raw")
    desk.yaml = desk.yaml[: desk.yaml.index("  users:")]
    desk.run("users")
    assert desk.said == ["the shop says nothing of its users"]
    assert desk.rows(USERS, "user_id") == []
