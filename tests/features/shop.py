"""A shop small enough to work out by hand: three buyers, six items, two stores with promotions on record."""

from datetime import UTC, date, datetime
from decimal import Decimal

from shoprec.contracts.gold import Table
from shoprec.contracts.silver import INTERACTIONS, ITEMS, PRICES, PROMOTIONS, USERS

AS_OF = date(2024, 3, 1)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def frame(spark, table: Table, rows):
    """Rows given by some columns' values, as a DataFrame with all columns of a contract."""
    schema = ", ".join(f"`{c.name}` {c.type}" for c in table.columns)
    full = [tuple(row.get(name) for name in table.names) for row in rows]
    return spark.createDataFrame(full, schema)


def event(user, item, when, **more):
    """One interaction; amounts and discounts as text, a purchase of one unit unless told otherwise."""
    row = {"quantity": "1", "amount": "1.00", "discount": "0.00", "coupon_discount": "0.00", "type": "purchase"} | more
    for name in ("quantity", "amount", "discount", "coupon_discount"):
        row[name] = None if row[name] is None else Decimal(row[name])
    when = at(when)
    key = f"{user}|{item}|{when}|{row['type']}|{more.get('basket_id')}"
    return {
        "event_id": key,
        "event_key": key,
        "event_at": when,
        "known_at": when,
        "market": "us",
        "domain": "food",
        "source": "test",
        "user_id": user,
        "item_id": item,
        "month": when.strftime("%Y-%m"),
    } | row


EVENTS = [
    # u1: three baskets and a return; 10 h, 10 h and 22 h; Monday, Thursday, Saturday
    event("u1", "A", "2024-01-01 10:00", basket_id="k1", store_id="s1", quantity="2", amount="4.00"),
    event("u1", "B", "2024-01-01 10:00", basket_id="k1", store_id="s1", amount="3.00"),
    event("u1", "A", "2024-01-11 10:00", basket_id="k2", store_id="s1", amount="2.00", discount="0.50"),
    event("u1", "A", "2024-02-10 22:00", basket_id="k3", store_id="s2", amount="2.00"),
    event("u1", "C", "2024-02-10 22:00", basket_id="k3", store_id="s2", amount="5.00", coupon_discount="1.00"),
    event("u1", "A", "2024-02-12 09:00", basket_id="r1", type="return", quantity="-1", amount="-2.00"),
    # u2: one basket; D is not in the catalogue and its discount is unknown
    event("u2", "B", "2024-02-20 12:00", basket_id="k4", store_id="s1", amount="6.00"),
    event("u2", "D", "2024-02-20 12:00", basket_id="k4", store_id="s1", discount=None, coupon_discount=None),
    event("u2", "E", "2024-02-20 12:00", basket_id="k4", store_id="s1", amount="9.00"),
    # u3 only looks; u4 buys without baskets and stores, a line in each of two markets
    event("u3", "A", "2024-02-01 08:00", type="view"),
    event("u4", "A", "2023-10-01 10:00", market="us", amount="4.00"),
    event("u4", "A", "2023-10-11 10:00", market="de", amount="4.00"),
    # after the as-of date
    event("u1", "E", "2024-03-01 00:00", basket_id="k5", store_id="s1", amount="99.00"),
    event("u5", "A", "2024-03-02 00:00", basket_id="k6", store_id="s1", amount="99.00"),
]


def item(name, department, category, brand):
    return {
        "item_id": name,
        "valid_from": at("1970-01-01"),
        "known_at": at("1970-01-01"),
        "timeless": True,
        "domain": "food",
        "name": name.lower(),
        "department": department,
        "category": category,
        "brand": brand,
        "text": f"{department} {category}",
    }


CATALOGUE = [
    item("A", "food", "milk", "b1"),
    item("B", "food", "bread", "b2"),
    item("C", "home", "soap", "b1"),
    item("E", "food", "bread", "b2"),
    item("F", "home", "soap", None),
]


def promotion(name, place, start, end, **how):
    return {
        "kind": "in_store", "item_id": name, "place": place, "valid_from": at(start), "valid_to": at(end),
        "known_at": at(start),
    } | how  # fmt: skip


SHELVES = [
    promotion("A", "s1", "2024-01-08", "2024-01-15", display="5"),
    promotion("B", "s1", "2024-02-19", "2024-02-26", mailer="A"),
    promotion("A", "s3", "2024-02-26", "2024-03-04", mailer="D"),
    promotion("A", "s1", "2024-03-04", "2024-03-11", display="1"),
    promotion("A", "c1", "2024-02-01", "2024-03-11") | {"kind": "coupon"},
]


def price(name, market, value):
    start = at("2024-02-01")
    money = Decimal(value)
    return {
        "item_id": name, "market": market, "valid_from": start, "known_at": start, "price": money, "list_price": money,
    }  # fmt: skip


def kept(spark, rows):
    """``rows`` computed now: tests that read them several times plan short queries."""
    return spark.createDataFrame(rows.toArrow(), rows.schema)


def events(spark):
    return frame(spark, INTERACTIONS, EVENTS)


def items(spark):
    return frame(spark, ITEMS, CATALOGUE)


def promotions(spark):
    return frame(spark, PROMOTIONS, SHELVES)


PRICED = [price("A", "us", "2.00"), price("A", "de", "3.00"), price("B", "us", "4.50")]


def prices(spark):
    return frame(spark, PRICES, PRICED)


KNOWN = [
    {
        "user_id": "u1", "age_band": "45-54", "children": "2",
        "valid_from": at("1970-01-01"), "known_at": at("1970-01-01"), "timeless": True,
    }
]  # fmt: skip


def users(spark):
    return frame(spark, USERS, KNOWN)
