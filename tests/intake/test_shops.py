"""The shops in conf/ on a few rows of their own kind, with what must come out worked out by hand."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from shoprec.cleaning.versions import attributes, versions
from shoprec.contracts import Table
from shoprec.contracts.silver import INTERACTIONS, ITEMS, PROMOTIONS, USERS
from shoprec.intake.lineage import with_lineage
from shoprec.intake.readers import deliver
from shoprec.intake.shop import load_shop
from shoprec.intake.tables import accepted, map_table, refused
from tests.intake.rows import bronze

ROOT = Path(__file__).parents[2]
SHOPS, README = ROOT / "conf" / "shops", ROOT / "README.md"
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
INVOICES = """536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,85123a, white metal ,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
C536379,22556,PLASTERS IN TIN,-12,2010-12-01 09:41:00,1.65,14527.0,France
536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom
536592,22556,PLASTERS IN TIN,1,2010-12-01 17:06:00,3.29,,United Kingdom
536540,C2,CARRIAGE,1,2010-12-01 14:05:00,50.0,14911.0,EIRE
536370,POST,POSTAGE,3,2010-12-01 08:45:00,18.0,12583.0,France
540000,21777,damaged,-5,2011-01-04 10:00:00,0.0,,United Kingdom
540001,DCGSSBOY,BOYS PARTY BAG,1,2011-07-04 10:00:00,3.29,14911.0,EIRE
540002,22139,RETROSPOT TEA SET,lots,2011-07-04 10:00:00,4.25,14911.0,EIRE
540003,22139,RETROSPOT TEA SET,2,2011-07-04 10:00:00,4.25,14911.0,EIRE
540004,22139,RETROSPOT TEASET,2,2011-07-05 10:00:00,4.25,14911.0,EIRE
540005,22139,RETROSPOT TEASET,2,2011-07-06 10:00:00,0.0,14911.0,EIRE
"""

Read = Callable[[str], DataFrame]


@pytest.fixture
def invoices(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFrame:
    """Two daily files of the gift shop, as ingest would bring them."""
    monkeypatch.setenv("SHOPREC_DATA", str(tmp_path))
    lines = INVOICES.splitlines()
    (tmp_path / "online_retail").mkdir()
    for day, part in (("2010-12-01", lines[:7]), ("2011-07-04", lines[7:])):
        (tmp_path / "online_retail" / f"{day}.csv").write_text("\n".join([HEADER, *part]) + "\n")
    delivery = deliver(spark, "invoices", load_shop(SHOPS / "online_retail.yml").datasets["invoices"], {})
    assert delivery.files == ("2010-12-01.csv", "2011-07-04.csv")
    with with_lineage(delivery.rows, 1) as rows:
        return rows.localCheckpoint()


def mapped(shop: str, table: Table, read: Read) -> DataFrame:
    return map_table(load_shop(SHOPS / f"{shop}.yml"), table, read)


def test_online_retail_interactions(invoices: DataFrame) -> None:
    rows = mapped("online_retail", INTERACTIONS, lambda _: invoices)
    got = {r["basket_id"]: r for r in accepted(rows).collect()}
    assert set(got) == {"536365", "C536379", "540001", "540003", "540004"}
    back = got["C536379"]
    assert (back["type"], back["quantity"], back["amount"]) == ("return", Decimal(-12), Decimal("-19.80"))
    assert (back["user_id"], back["item_id"], back["market"]) == ("14527", "22556", "France")
    # In winter London's clocks show UTC, in summer an hour more.
    assert got["536365"]["event_at"] == datetime(2010, 12, 1, 8, 26)
    assert got["540003"]["event_at"] == datetime(2011, 7, 4, 9)
    # Lines that differ in the case of their stock code alone are one line.
    assert accepted(rows).where("basket_id = '536365'").select("event_key").distinct().count() == 1
    reasons = {
        r["reason"]: r["n"] for r in refused(rows).groupBy("reason").count().withColumnRenamed("count", "n").collect()
    }
    assert reasons == {
        "Quantity is not int": 1,
        "not a product": 2,
        "no price": 2,
        "no customer": 1,
        "a stock correction": 1,
    }


def test_online_retail_items_have_the_names_of_their_time(invoices: DataFrame) -> None:
    rows = mapped("online_retail", ITEMS, lambda _: invoices)
    kept = versions(accepted(rows), ["item_id"], attributes(ITEMS)).where("NOT _duplicate").collect()
    names = sorted(
        (r["item_id"], r["name"], r["valid_from"], r["valid_to"]) for r in kept if r["item_id"] != "DCGSSBOY"
    )
    assert names == [
        ("22139", "RETROSPOT TEA SET", datetime(2011, 7, 4, 9), datetime(2011, 7, 5, 9)),
        ("22139", "RETROSPOT TEASET", datetime(2011, 7, 5, 9), None),
        ("22556", "PLASTERS IN TIN", datetime(2010, 12, 1, 9, 41), None),
        ("85123A", "WHITE HANGING HEART", datetime(2010, 12, 1, 8, 26), None),
    ]
    reasons = {r["reason"] for r in refused(rows).collect()}
    assert reasons == {"not a product", "no description", "a note, not a name"}


def test_online_retail_users_live_where_they_are_billed(invoices: DataFrame) -> None:
    rows = accepted(mapped("online_retail", USERS, lambda _: invoices))
    kept = versions(rows, ["user_id"], attributes(USERS)).where("NOT _duplicate")
    assert {(r["user_id"], r["country"]) for r in kept.collect()} == {
        ("17850", "United Kingdom"), ("14527", "France"), ("14911", "EIRE"), ("12583", "France"),
    }  # fmt: skip


def grocer(spark: SparkSession) -> Read:
    """A few rows of each of the grocer's datasets, of the package's own types."""
    till = datetime(2017, 6, 5, 3, 59, tzinfo=UTC)
    sales = [
        (1, 300, 10, 100, 2, 3.00, 1.00, 0.50, 0.25, 23, till),
        (1, 300, 11, 200, 10500, 25.00, 0.00, 0.00, 0.00, 23, till),
        (1, 300, 12, 100, 1, 1.00, 0.00, 1.50, 0.00, 23, till),
        (1, 300, 13, 100, 0, 0.00, 0.00, 0.50, 0.00, 23, till),
        (1, 300, 14, 300, 1, 0.50, 0.00, 0.00, 0.00, 23, till),
        (1, 300, 15, 999, 1, 0.50, 0.00, 0.00, 0.00, 23, till),
    ]
    frames = {
        "transactions": (
            "household_id long, store_id long, basket_id long, product_id long, quantity long, sales_value double, "
            "retail_disc double, coupon_disc double, coupon_match_disc double, week long, "
            "transaction_timestamp timestamp",
            sales,
        ),
        "products": (
            "product_id long, manufacturer_id long, department string, brand string, product_category string, "
            "product_type string, package_size string",
            [
                (100, 7, "PRODUCE", "Private", "FRUIT", "APPLES GALA", "2 LB"),
                (200, 8, "MISCELLANEOUS", "National", "COUPON/MISC ITEMS", "GASOLINE-REG UNLEADED", None),
                (300, 9, "COUPON", "National", "COUPONS", "COUPONS/STORE & MFG", None),
            ],
        ),
        "promotions": (
            "product_id long, store_id long, display_location string, mailer_location string, week long",
            [(100, 300, "0", "A", 1), (100, 300, "9", "0", 23)],
        ),
        "coupons": ("coupon_upc long, product_id long, campaign_id long", [(55, 100, 1), (56, 100, 2)]),
        "campaign_descriptions": (
            "campaign_id long, campaign_type string, start_date timestamp, end_date timestamp",
            [(1, "Type A", datetime(2017, 3, 3, tzinfo=UTC), datetime(2017, 4, 9, tzinfo=UTC))],
        ),
        "coupon_redemptions": (
            "household_id long, coupon_upc long, campaign_id long, redemption_date timestamp",
            [(1, 55, 1, datetime(2017, 3, 4, tzinfo=UTC))],
        ),
    }
    return lambda name: bronze(spark, *frames[name])


def test_completejourney_interactions(spark: SparkSession) -> None:
    rows = mapped("completejourney", INTERACTIONS, grocer(spark))
    got = {r["basket_id"] or "coupon": r for r in accepted(rows).collect()}
    assert set(got) == {"10", "11", "12", "15", "coupon"}
    apples = got["10"]
    assert apples["event_at"] == apples["known_at"] == datetime(2017, 6, 5, 3, 59)
    assert (apples["user_id"], apples["item_id"], apples["store_id"], apples["market"]) == ("1", "100", "300", "us")
    # The customer paid 3.00 less the coupon of 0.50; the shelf price with the card is (3.00 + 0.25) / 2.
    assert (apples["amount"], apples["discount"]) == (Decimal("2.50"), Decimal("1.00"))
    assert (apples["amount"] + apples["coupon_discount"]) / apples["quantity"] == Decimal("1.625")
    assert (got["11"]["quantity"], got["11"]["domain"]) == (Decimal("10.5"), "fuel")
    assert (got["12"]["amount"], got["12"]["coupon_discount"]) == (Decimal("0.00"), Decimal("1.00"))
    assert (apples["domain"], got["15"]["domain"]) == ("fresh", "other")
    redeemed = got["coupon"]
    assert (redeemed["type"], redeemed["item_id"], redeemed["quantity"]) == (
        "coupon_redemption",
        "coupon:55",
        Decimal(1),
    )
    assert (redeemed["event_at"], redeemed["known_at"]) == (datetime(2017, 3, 4, 5), datetime(2017, 3, 5, 5))
    assert {r["reason"] for r in refused(rows).collect()} == {"quantity is not above 0", "a coupon booked as an item"}


def test_completejourney_items(spark: SparkSession) -> None:
    rows = accepted(mapped("completejourney", ITEMS, grocer(spark))).collect()
    apples = next(r for r in rows if r["item_id"] == "100")
    assert (apples["name"], apples["brand"], apples["brand_type"], apples["size"]) == (
        "Apples Gala",
        "maker 7",
        "Private",
        "2 LB",
    )
    assert apples["text"] == "produce, fruit, apples gala, private"
    assert apples["timeless"]
    assert len(rows) == 2


def test_completejourney_promotions_begin_on_mondays_in_new_york(spark: SparkSession) -> None:
    rows = mapped("completejourney", PROMOTIONS, grocer(spark))
    got = sorted(accepted(rows).collect(), key=lambda r: r["valid_from"])
    told = [(r["kind"], r["place"], r["valid_from"], r["valid_to"], r["display"], r["mailer"]) for r in got]
    assert told == [
        ("in_store", "300", datetime(2016, 12, 26, 5), datetime(2017, 1, 2, 5), None, "A"),
        ("coupon", "1", datetime(2017, 3, 3, 5), datetime(2017, 4, 10, 4), None, None),
        ("in_store", "300", datetime(2017, 5, 29, 4), datetime(2017, 6, 5, 4), "9", None),
    ]
    assert [r["reason"] for r in refused(rows).collect()] == ["a campaign without a description"]


def test_completejourney_knows_its_mailers_a_week_ahead_and_its_coupons_when_they_begin(spark: SparkSession) -> None:
    """A week by the clock of New York: on 29 May it is summer there, on 2 January it is not."""
    rows = sorted(accepted(mapped("completejourney", PROMOTIONS, grocer(spark))).collect(), key=lambda r: r["known_at"])
    assert [(r["kind"], r["known_at"]) for r in rows] == [
        ("in_store", datetime(2016, 12, 19, 5)),
        ("coupon", datetime(2017, 3, 3, 5)),
        ("in_store", datetime(2017, 5, 22, 4)),
    ]


def test_the_shop_of_the_readme_is_one():
    shop = load_shop(README.read_text().partition("```yaml\n")[2].partition("```")[0])
    mapped = *shop.tables.interactions, *shop.tables.items
    assert [mapping.dataset for mapping in mapped] == ["sales", "catalogue"]
