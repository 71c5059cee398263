"""promotions: one row for each item, place and time."""

from pathlib import Path

from shoprec.contracts.silver import PROMOTIONS, QUARANTINE, RECONCILIATION
from shoprec.lake import Lake
from tests.jobs.desk import Desk, sale

MAPPING = """
  promotions:
    - dataset: offers
      columns:
        {kind: kind, item_id: what, place: shop, valid_from: begins, valid_to: ends, display: "nullif(shown, '0')"}
"""


def test_rows_of_one_key_are_put_together_and_accounted_for(lake: Lake, tmp_path: Path) -> None:
    desk = Desk(lake, tmp_path / "raw")
    offers = "  offers: {format: csv, path: PLACE/offers, types: {begins: timestamp, ends: timestamp}}\ntables:\n"
    desk.yaml = desk.yaml.replace("tables:\n", offers) + MAPPING
    lines = [
        "in_store,tea,s1,2024-01-01,2024-01-08,0",
        "in_store,tea,s1,2024-01-01,2024-01-08,4",
        "in_store,tea,s2,2024-01-01,2024-01-08,0",
        "coupon,tea,spring,2024-01-01,2024-03-01,0",
        "lottery,tea,s1,2024-01-01,2024-01-08,0",
        "in_store,tea,s1,2024-01-08,2024-01-01,0",
    ]
    desk.deliver("1.csv", [sale("a", "2024-01-01", "u1", "tea")])
    desk.deliver_goods()
    desk.deliver("1.csv", lines, "offers", "kind,what,shop,begins,ends,shown")
    desk.run("ingest")
    for _ in range(2):
        desk.run("promotions")
        assert desk.rows(PROMOTIONS, "kind", "place", "display") == [
            ("coupon", "spring", None),
            ("in_store", "s1", "4"),
            ("in_store", "s2", None),
        ]
    assert [r[0][:22] for r in desk.rows(QUARANTINE, "reason")] == ["kind is not one of in_", "valid_to is not after "]
    columns = ("dataset", "read", "passed_over", "refused", "duplicate", "kept")
    assert desk.rows(RECONCILIATION, *columns) == [("offers", 6, 0, 2, 1, 3)]
    # A shop that maps them no longer has none: later jobs would learn from what it took back.
    desk.yaml = desk.yaml.removesuffix(MAPPING)
    desk.run("promotions")
    assert [desk.rows(table) for table in (PROMOTIONS, QUARANTINE, RECONCILIATION)] == [[], [], []]


def test_a_shop_may_have_no_promotions(lake: Lake, tmp_path: Path) -> None:
    desk = Desk(lake, tmp_path / "raw")
    desk.run("promotions")
    assert desk.said == ["the shop says nothing of promotions"]
