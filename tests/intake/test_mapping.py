"""The one mapper: what is mapped, what is refused and for which reason, what is passed over."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from shoprec.contracts.silver import INTERACTIONS, ITEMS, PROMOTIONS
from shoprec.errors import ConfigError
from shoprec.intake.mapping import latest, map_rows
from shoprec.intake.shop import Dataset, Join, TableMapping
from tests.intake.rows import bronze

SALES = "line string, at string, who string, what string, n string, paid string"
TYPES = {"at": "timestamp", "n": "int", "paid": "decimal(18,2)"}
COLUMNS = {
    "event_at": "at",
    "market": "'eu'",
    "domain": "'all'",
    "type": "IF(n < 0, 'return', 'purchase')",
    "user_id": "who",
    "item_id": "what",
    "quantity": "n",
    "amount": "paid",
}
DATASETS = {
    "sales": Dataset(format="csv", path="x", types=TYPES),
    "goods": Dataset(format="csv", path="x"),
}
NOON = "2024-01-02 12:00:00"


def mapping(**changes: object) -> TableMapping:
    return TableMapping(**{"dataset": "sales", "columns": COLUMNS, "event_key": ["line"], **changes})


def mapped(spark: SparkSession, rows: list[tuple], told: TableMapping | None = None, **more: object) -> dict:
    frames = {"sales": bronze(spark, SALES, rows), **more}
    result = map_rows(told or mapping(), INTERACTIONS, DATASETS, frames)
    return {row["event_key"].removeprefix("sales:"): row for row in result.collect()}


def test_every_row_has_one_verdict_and_the_first_reason_counts(spark: SparkSession) -> None:
    rows = [
        ("good", NOON, "u1", " i1 ", "2", "3.999"),
        ("no number", NOON, "u1", "i1", "two", "1"),
        ("no number and no user", NOON, None, "i1", "two", "1"),
        ("no time", "yesterday", "u1", "i1", "2", "1"),
        ("blank user", NOON, "  ", "i1", "2", "1"),
        ("blank number", NOON, "u1", "i1", " ", "1"),
        ("elsewhere", NOON, "u1", "other", "2", "1"),
        ("voucher", NOON, "u1", "voucher", "2", "1"),
        ("nothing sold", NOON, "u1", "i1", "0", "1"),
        ("brought back", NOON, "u1", "i1", "-1", "-2"),
    ]
    told = mapping(where="what != 'other'", refuse={"a voucher": "what = 'voucher'"})
    got = mapped(spark, rows, told)
    reasons = {key: row["_reason"] for key, row in got.items()}
    assert reasons == {
        "good": None,
        "no number": "n is not int",
        "no number and no user": "n is not int",
        "no time": "at is not timestamp",
        "blank user": "user_id is missing",
        "blank number": "quantity is missing",
        "elsewhere": None,
        "voucher": "a voucher",
        "nothing sold": "quantity is not above 0",
        "brought back": None,
    }
    assert [key for key, row in got.items() if row["_passed_over"]] == ["elsewhere"]
    good = got["good"]
    assert (good["user_id"], good["item_id"], good["quantity"], good["amount"]) == (
        "u1",
        "i1",
        Decimal(2),
        Decimal("4.00"),
    )
    assert good["event_at"] == good["known_at"] == datetime(2024, 1, 2, 12)
    assert got["brought back"]["type"] == "return"
    assert got["no number"]["_raw"]["n"] == "two"


def test_values_outside_the_contract_are_refused(spark: SparkSession) -> None:
    rows = [
        ("sold", NOON, "u1", "i1", "1", "1"),
        ("unknown type", NOON, "u1", "gift", "1", "1"),
        ("raised price", NOON, "u1", "i1", "1", "-5"),
        ("too large", NOON, "u1", "i1", "1", "1"),
    ]
    columns = COLUMNS | {
        "type": "IF(what = 'gift', 'present', 'purchase')",
        "discount": "paid",
        "coupon_discount": "IF(line = 'too large', '1e30', '0')",
    }
    got = mapped(spark, rows, mapping(columns=columns))
    assert got["sold"]["_reason"] is None
    assert got["unknown type"]["_reason"].startswith("type is not one of view, cart, purchase")
    assert got["raised price"]["_reason"] == "discount is below 0"
    assert got["too large"]["_reason"] == "coupon_discount is not decimal(18,2)"


def test_a_bad_value_that_the_table_does_not_use_is_no_reason(spark: SparkSession) -> None:
    told = mapping(columns={k: v for k, v in COLUMNS.items() if k != "amount"})
    assert mapped(spark, [("a", NOON, "u1", "i1", "1", "free")], told)["a"]["_reason"] is None


def test_a_bad_value_counts_however_the_mapping_writes_its_name(spark: SparkSession) -> None:
    told = mapping(columns=COLUMNS | {"amount": "PAID"})
    assert mapped(spark, [("a", NOON, "u1", "i1", "1", "free")], told)["a"]["_reason"] == "paid is not decimal(18,2)"


def test_lines_that_did_not_parse_are_refused(spark: SparkSession) -> None:
    rows = [(None, None, None, None, None, None, "half a li")]
    frames = {"sales": bronze(spark, f"{SALES}, _unparsed string", rows)}
    row = map_rows(mapping(), INTERACTIONS, DATASETS, frames).first()
    assert row["_reason"] == "the line does not parse"
    assert row["_raw"]["_unparsed"] == "half a li"


def test_when_a_row_was_known(spark: SparkSession) -> None:
    rows = [("a", NOON, "u1", "i1", "1", "1")]
    lagged = mapped(spark, rows, mapping(known_after=timedelta(hours=36)))["a"]
    assert lagged["known_at"] == datetime(2024, 1, 4)
    arrived = mapped(spark, rows, mapping(columns=COLUMNS | {"known_at": "at + INTERVAL 1 MINUTE"}))["a"]
    assert arrived["known_at"] == datetime(2024, 1, 2, 12, 1)
    before = mapped(spark, rows, mapping(columns=COLUMNS | {"known_at": "at - INTERVAL 1 MINUTE"}))["a"]
    assert before["_reason"] == "known before it happened"


def test_a_lookup_neither_adds_nor_removes_rows(spark: SparkSession) -> None:
    first = bronze(spark, "what string, kind string", [("i1", "old"), ("i1", "older"), ("i3", "x")], "goods-1", 1)
    second = bronze(spark, "what string, kind string", [("i1", "new")], "goods-2", 2)
    rows = [("a", NOON, "u1", "i1", "1", "1"), ("b", NOON, "u1", "i2", "1", "1")]
    told = mapping(
        join=[Join(dataset="goods", by=["what"])], columns=COLUMNS | {"domain": "coalesce(goods.kind, 'none')"}
    )
    got = mapped(spark, rows, told, goods=first.unionByName(second))
    assert {key: row["domain"] for key, row in got.items()} == {"a": "new", "b": "none"}


def test_a_broken_line_of_a_lookup_stands_only_where_no_whole_one_does(spark: SparkSession) -> None:
    """Of the later delivery i1's price is no number, as is the only one of i2; of a torn line only the key is there."""
    schema = "what string, kind string, price string, _unparsed string"
    first = bronze(spark, schema, [("i1", "tea", "2", None), ("i3", "mugs", "4", None)])
    second = bronze(
        spark, schema, [("i1", None, "x", None), ("i2", "pots", "x", None), ("i3", None, None, "i3;")], "day-2", 2
    )
    datasets = DATASETS | {"goods": Dataset(format="csv", path="x", types={"price": "int"})}
    columns = COLUMNS | {"domain": "coalesce(goods.kind, 'none')", "amount": "coalesce(goods.price, 0)"}
    told = mapping(join=[Join(dataset="goods", by=["what"])], columns=columns)
    rows = [(key, NOON, "u1", key, "1", "1") for key in ("i1", "i2", "i3")]
    frames = {"sales": bronze(spark, SALES, rows), "goods": first.unionByName(second)}
    found = map_rows(told, INTERACTIONS, datasets, frames).select("item_id", "domain", "_reason").collect()
    assert {tuple(row) for row in found} == {("i1", "tea", None), ("i2", "pots", None), ("i3", "mugs", None)}


def test_the_latest_delivery_is_chosen_by_ingestion_then_file(spark: SparkSession) -> None:
    parts = [("z", 1), ("a", 2), ("b", 2)]
    frames = [bronze(spark, "what string, kind string", [("i1", f"{f}{n}")], f, n) for f, n in parts]
    rows = frames[2].unionByName(frames[0]).unionByName(frames[1]).withColumn("_mistyped", F.lit(None).cast("string"))
    assert latest(rows, ("what",)).collect()[0].asDict() == {"what": "i1", "kind": "b2"}


def test_without_a_key_the_whole_row_is_the_event(spark: SparkSession) -> None:
    rows = [("a", NOON, "u1", "i1", "1", "1"), ("b", NOON, "u1", "i1", "1", "1")]
    keys = mapped(spark, rows, mapping(event_key=[]))
    assert len(keys) == 2
    assert len(mapped(spark, [rows[0], rows[0]], mapping(event_key=[]))) == 1


def test_missing_parts_of_a_key_keep_their_place(spark: SparkSession) -> None:
    rows = [("a", NOON, None, "x", "1", "1"), ("a", NOON, "x", None, "1", "1")]
    assert set(mapped(spark, rows, mapping(event_key=["line", "who", "what"]))) == {"a:\\0:x", "a:x:\\0"}


def test_unlike_keys_stay_unlike_whatever_stands_in_them(spark: SparkSession) -> None:
    pairs = [("x:y", "z"), ("x", "y:z"), ("x\\:y", "z"), ("\\0", "z"), (None, "z")]
    rows = [("a", NOON, who, what, "1", "1") for who, what in pairs]
    assert len(mapped(spark, rows, mapping(event_key=["line", "who", "what"]))) == len(pairs)


def test_an_attribute_without_history_is_timeless(spark: SparkSession) -> None:
    frames = {"goods": bronze(spark, "what string, since timestamp", [("i1", datetime(2024, 1, 1))])}
    told = TableMapping(dataset="goods", columns={"item_id": "what", "domain": "'all'"}, known_after="1 day")
    row = map_rows(told, ITEMS, DATASETS, frames).first()
    assert (row["timeless"], row["valid_from"], row["known_at"]) == (True, datetime(1970, 1, 1), datetime(1970, 1, 1))
    dated = told.model_copy(update={"columns": {**told.columns, "valid_from": "since"}})
    row = map_rows(dated, ITEMS, DATASETS, frames).first()
    assert (row["timeless"], row["valid_from"], row["known_at"]) == (False, datetime(2024, 1, 1), datetime(2024, 1, 2))


def test_a_span_that_ends_before_it_begins_is_refused(spark: SparkSession) -> None:
    frames = {
        "goods": bronze(
            spark, "what string, a timestamp, b timestamp", [("i1", datetime(2024, 1, 2), datetime(2024, 1, 2))]
        )
    }
    columns = {"kind": "'coupon'", "item_id": "what", "place": "'x'", "valid_from": "a", "valid_to": "b"}
    row = map_rows(TableMapping(dataset="goods", columns=columns), PROMOTIONS, DATASETS, frames).first()
    assert row["_reason"] == "valid_to is not after valid_from"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"columns": COLUMNS | {"amount": "payed * 2"}}, r"column amount: 'payed \* 2' names .* did you mean 'paid'"),
        ({"columns": COLUMNS | {"amount": "paid +"}}, "'paid \\+' is no Spark SQL expression"),
        ({"columns": COLUMNS | {"amount": "no_function(paid)"}}, "cannot be computed"),
        ({"where": "wat = 'x'"}, "where: .* did you mean 'what'"),
        ({"refuse": {"odd": "whoo IS NULL"}}, "refuse 'odd': .* did you mean 'who'"),
        ({"event_key": ["lin"]}, "event_key: .* did you mean 'line'"),
        ({"join": [Join(dataset="goods", by=["wat"])]}, "goods: the dataset has no column 'wat'; did you mean 'what'"),
        ({"join": [Join(dataset="goods", by=["zzz"])]}, "the dataset has no column 'zzz'; known: [a-z, ]* — both"),
        ({"join": [Join(dataset="goods", by=["who"])]}, "join with goods: the other has no column 'who'"),
    ],
)  # fmt: skip
def test_a_mapping_that_does_not_fit_its_data_is_named(spark: SparkSession, changes: dict, says: str) -> None:
    goods = bronze(spark, "what string, kind string", [("i1", "x")])
    with pytest.raises(ConfigError, match=says):
        mapped(spark, [("a", NOON, "u1", "i1", "1", "1")], mapping(**changes), goods=goods)


@pytest.mark.parametrize(
    ("types", "says"), [({"at": "moment"}, "no Spark SQL type"), ({"att": "int"}, "did you mean 'at'")]
)
def test_wrong_types_are_named(spark: SparkSession, types: dict, says: str) -> None:
    frames = {"sales": bronze(spark, SALES, [("a", NOON, "u1", "i1", "1", "1")])}
    with pytest.raises(ConfigError, match=says):
        map_rows(mapping(), INTERACTIONS, {"sales": Dataset(format="csv", path="x", types=types)}, frames)


def test_without_a_key_an_event_is_its_whole_row_in_whatever_file(spark: SparkSession) -> None:
    """In Parquet ``_row`` counts from 0 in every file: unlike rows of the same place must stay two events."""
    january = bronze(spark, SALES, [("1", NOON, "u1", "i1", "2", "1"), ("2", NOON, "u2", None, "2", "1")], "1.parquet")
    february = bronze(spark, SALES, [("3", NOON, "u3", "i3", "2", "1"), ("2", NOON, "u2", None, "2", "1")], "2.parquet")
    place = F.row_number().over(Window.orderBy("line")) - 1
    both = january.withColumn("_row", place.cast("long")).unionByName(february.withColumn("_row", place.cast("long")))
    rows = map_rows(mapping(event_key=[]), INTERACTIONS, DATASETS, {"sales": both}).collect()
    keys = {(row["_file"], row["user_id"]): row["event_key"] for row in rows}
    assert keys["1.parquet", "u1"] != keys["2.parquet", "u3"]
    assert keys["1.parquet", "u2"] == keys["2.parquet", "u2"]
    assert len(set(keys.values())) == 3
