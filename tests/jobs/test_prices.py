"""prices: from price lists, or from purchases."""

from datetime import datetime
from pathlib import Path

from shoprec.contracts.silver import PRICES, RECONCILIATION
from shoprec.lake import Lake
from tests.jobs.desk import Desk, sale


def test_without_a_price_list_purchases_tell(lake: Lake, tmp_path: Path) -> None:
    desk = Desk(lake, tmp_path / "raw")
    desk.deliver(
        "1.csv", [sale("a", "2024-01-01", "u1", "tea", "2", "5.00"), sale("b", "2024-01-09", "u1", "tea", "1", "3.00")]
    )
    desk.deliver_goods()
    for job in ("ingest", "interactions", "prices", "prices"):
        desk.run(job)
    assert [(*r[:3], str(r[3])) for r in desk.rows(PRICES, "item_id", "valid_from", "known_at", "price")] == [
        ("tea", datetime(2024, 1, 1), datetime(2024, 1, 8), "2.50"),
        ("tea", datetime(2024, 1, 8), datetime(2024, 1, 15), "3.00"),
    ]


def test_a_price_list_is_taken_as_it_is(lake: Lake, tmp_path: Path) -> None:
    desk = Desk(lake, tmp_path / "raw")
    desk.yaml += """
  prices:
    - dataset: prices
      columns: {item_id: what, market: "'eu'", valid_from: since, price: price, list_price: price}
      known_after: 1 day
"""
    desk.yaml = desk.yaml.replace(
        "tables:\n", "  prices: {format: csv, path: PLACE/prices, types: {since: timestamp}}\ntables:\n"
    )
    lines = [
        "tea,2024-01-01,2.5",
        "tea,2024-01-05,2.50",
        "tea,2024-01-09,3",
        "mug,2024-01-01,-1",
        "mug,2024-01-02,free",
    ]
    desk.deliver("1.csv", [sale("a", "2024-01-01", "u1", "tea")])
    desk.deliver_goods()
    desk.deliver("1.csv", lines, "prices", "what,since,price")
    desk.run("ingest")
    desk.run("prices")
    got = [(str(p), a, b, k) for p, a, b, k in desk.rows(PRICES, "price", "valid_from", "valid_to", "known_at")]
    assert got == [
        ("2.50", datetime(2024, 1, 1), datetime(2024, 1, 9), datetime(2024, 1, 2)),
        ("3.00", datetime(2024, 1, 9), None, datetime(2024, 1, 10)),
    ]
    columns = ("dataset", "read", "passed_over", "refused", "duplicate", "kept")
    assert desk.rows(RECONCILIATION, *columns) == [("prices", 5, 0, 2, 1, 2)]
