"""A shop's YAML becomes a typed object at the door, or is refused in words."""

from datetime import timedelta
from pathlib import Path

import pytest

from shoprec.errors import ConfigError
from shoprec.intake.shop import load_shop, span

SHOPS = Path(__file__).parents[2] / "conf" / "shops"

TINY = """
name: tiny
currency: EUR
datasets:
  sales: {format: csv, path: /data/sales}
tables:
  interactions:
    - dataset: sales
      columns: {event_at: at, market: "'eu'", domain: "'all'", type: "'view'", user_id: who, item_id: what, quantity: 1}
  items:
    - dataset: sales
      columns: {item_id: what, domain: "'all'"}
"""


@pytest.mark.parametrize("path", sorted(SHOPS.glob("*.yml")), ids=lambda path: path.stem)
def test_the_shops_in_conf_are_valid_and_named_as_their_files(path: Path) -> None:
    shop = load_shop(path)
    assert shop.name == path.stem
    assert shop.tables.interactions


def test_a_shop_needs_no_more_than_its_data_and_two_tables() -> None:
    shop = load_shop(TINY)
    assert shop.time_zone == "UTC"
    assert shop.tables.interactions[0].columns["quantity"] == "1"
    assert shop.tables.interactions[0].known_after == timedelta()
    assert not shop.tables.promotions


ITEMS = "    - dataset: sales\n      columns: {item_id"
MORE = ITEMS.replace("columns", "{}\n      columns", 1)


@pytest.mark.parametrize(
    ("change", "to", "says"),
    [
        ("currency: EUR", "currency: EUR\ncurency: EUR", "'curency'; did you mean 'currency'"),
        ("path: /data/sales", "path: /data/sales, optoins: {}", "did you mean 'options'"),
        ("  items:", "  itmes:", "did you mean 'items'"),
        ("{item_id: what,", "{item_id: what, nmae: x,", "'nmae' is no column to map; did you mean 'name'"),
        ("{item_id: what, domain: \"'all'\"}", "{item_id: what}", r"\['domain'\] must be mapped"),
        (ITEMS, ITEMS.replace("sales", "sale"), "there is no dataset 'sale'; did you mean 'sales'"),
        (ITEMS, MORE.replace("{}", "wher: x"), "did you mean 'where'"),
        (ITEMS, MORE.replace("{}", "event_key: [x]"), "event_key belongs to interactions"),
        (ITEMS, MORE.replace("{}", "join: [{dataset: sales, bye: [x]}]"), "did you mean 'by'"),
        (ITEMS, MORE.replace("{}", "join: [{dataset: good, by: [x]}]"), "there is no dataset 'good'"),
        ("columns: {event_at: at", "columns: {month: at", "'month' is no column to map"),
        ("columns: {event_at: at", "known_after: soon\n      columns: {event_at: at", "'soon' is no length of time"),
        ("currency: EUR", "currency: euro", "currency"),
        ("currency: EUR", "currency: EUR\ntime_zone: Mars/Base", "'Mars/Base' is no IANA time zone"),
        ("sales: {format: csv", "sales: {format: xls", "format"),
        ("sales: {format: csv", "sales: {format: json", "json needs `columns`"),
        ("sales: {format: csv", "sales: {columns: [a], format: parquet", "leave `columns` out"),
        ("  sales: {format", "  Sales!: {format", "lower-case letters"),
        ("currency: EUR", "currency: [EUR", "not valid YAML"),
    ],
)
def test_what_is_unknown_or_wrong_is_named_with_the_nearest(change: str, to: str, says: str) -> None:
    assert change in TINY
    with pytest.raises(ConfigError, match=says):
        load_shop(TINY.replace(change, to, 1))


def test_a_dataset_feeds_a_table_once() -> None:
    items = TINY[TINY.index("    - dataset: sales\n      columns: {item_id") :]
    with pytest.raises(ConfigError, match=r"tables.items maps \['sales'\] more than once"):
        load_shop(TINY + items)


def test_a_list_is_no_shop() -> None:
    with pytest.raises(ConfigError, match="must hold keys"):
        load_shop("- a\n- b\n")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the shop .*nowhere\.yml"):
        load_shop(tmp_path / "nowhere.yml")


def test_options_take_variables_with_their_types(monkeypatch: pytest.MonkeyPatch) -> None:
    text = TINY.replace("path: /data/sales", 'path: x, options: {n: "${N_ROWS:-12}", sep: ";"}')
    assert load_shop(text).datasets["sales"].options == {"n": 12, "sep": ";"}
    monkeypatch.setenv("N_ROWS", "7")
    assert load_shop(text).datasets["sales"].options["n"] == 7


def test_paths_are_left_to_ingest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the job that reads the files needs to know where they are."""
    monkeypatch.delenv("NOT_SET", raising=False)
    assert load_shop(TINY.replace("/data/sales", '"${NOT_SET}/x"')).datasets["sales"].path == "${NOT_SET}/x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90 minutes", timedelta(minutes=90)),
        ("1 hour", timedelta(hours=1)),
        ("2 days", timedelta(days=2)),
        ("3 weeks", timedelta(21)),
    ],
)
def test_spans_in_words(text: str, expected: timedelta) -> None:
    assert span(text) == expected


def test_known_after_may_be_iso_8601() -> None:
    text = TINY.replace("columns: {event_at", "known_after: PT36H\n      columns: {event_at")
    assert load_shop(text).tables.interactions[0].known_after == timedelta(hours=36)
