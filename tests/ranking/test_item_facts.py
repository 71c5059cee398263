"""Facts of items: sums over their buyers, as of several days, and what is made of them, by hand."""

import math

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from shoprec.ranking.config import FACT_COLUMNS, PLANS, PROMOTED
from shoprec.ranking.item_facts import RHYTHM, SUMS, item_facts
from shoprec.reuse import as_it_is
from tests.ranking.test_histories import day, packed_days

HORIZON = 14


def facts_of(
    spark: SparkSession,
    pairs: list[tuple[str, str, list[int]]],
    planned: list[tuple] | None = None,
    listed: list[tuple] | None = None,
) -> dict[tuple[str, int], dict]:
    """Facts of pairs (user, item, days), by item and period; a unit a day, 2 paid, and 2 saved on even days.

    ``planned``: item, period and the values of ``PLANS``; ``listed``: item, category and subcategory.
    """
    promoted = spark.createDataFrame(
        planned or [], "item_id string, period int, " + ", ".join(f"{name} double" for name in PLANS)
    )
    days = [[{**day(age), "units": 1, "paid": 2, "priced": 1, "saved": 0 if age % 2 else 2} for age in ages]
            for *_, ages in pairs]  # fmt: skip
    told = pa.table({"item_id": [item for _, item, _ in pairs], "days": packed_days(*days)})
    catalogue = spark.createDataFrame(
        listed or [("bread", 1, 10), ("rye", 1, 10), ("milk", 1, 11)],
        "item_id string, category long, subcategory long",
    )
    made = item_facts(spark.createDataFrame(told).repartition(2), catalogue, promoted, 2, HORIZON, as_it_is).collect()
    return {(row["item_id"], row["period"]): row.asDict() for row in made}


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> dict[tuple[str, int], dict]:
    return facts_of(
        spark,
        [("u", "bread", [2, 12, 22]), ("v", "bread", [20]), ("u", "milk", [3]), ("v", "rye", [5]), ("w", "tea", [80])],
    )


def test_items_are_there_from_their_first_purchase_on(made: dict) -> None:
    assert set(made) == {("bread", 0), ("bread", 1), ("milk", 0), ("rye", 0), ("tea", 0), ("tea", 1)}
    assert set(made["tea", 0]) == {"item_id", "period", *RHYTHM, *FACT_COLUMNS}


def test_rhythm_by_hand(made: dict) -> None:
    """Of five buyings one came back, twice in 20 days: the shop's gap is 10 days, its repeat rate a fifth."""
    bread, milk = made["bread", 0], made["milk", 0]
    assert bread["repeat_rate"] == pytest.approx((1 + 10 / 5) / (2 + 10))
    assert bread["repurchase_days"] == 10
    assert bread["gap"] == pytest.approx((20 + 2 * 10) / (2 + 2))
    assert (milk["repurchase_days"], milk["gap"]) == (None, 10)
    assert bread["idle_days"] == 2
    assert bread["idle_baskets"] == pytest.approx(2 * 4.5 / 91)
    assert bread["back_14d"] == pytest.approx(2 / 22)
    assert bread["back_28d"] == pytest.approx(3 / 22)


def test_an_earlier_period_is_told_as_it_was(made: dict) -> None:
    """Fourteen days earlier: u's last loaf was 8 days old and v's 6; nobody had come back, so a month stands in."""
    bread = made["bread", 1]
    assert (bread["idle_days"], bread["repurchase_days"], bread["gap"]) == (6, None, 30)
    assert bread["repeat_rate"] == 0


def test_trends_by_hand(made: dict) -> None:
    """The shop sold 3 of its 7 in the last 7 days, so a third of bread's 4 in 91 days would have been 12 / 7."""
    bread = made["bread", 0]
    assert bread["trend_7d"] == pytest.approx(math.log((1 + 3) / (4 * 3 / 7 + 3)))
    assert bread["trend_14d"] == pytest.approx(math.log((2 + 3) / (4 * 4 / 7 + 3)))
    assert bread["trend_28d"] == bread["trend_28d_of_91d"] == pytest.approx(math.log((4 + 3) / (4 * 6 / 7 + 3)))


def test_prices_by_hand(made: dict) -> None:
    """Bread was on offer on the days 2, 12, 20 and 22, at 2 for a unit worth 4; all of its category cost 2."""
    bread, rye, tea = made["bread", 0], made["rye", 0], made["tea", 0]
    assert (bread["discount_depth"], bread["discount_frequency"], bread["price"]) == (0.5, 1, 2)
    assert (rye["discount_depth"], rye["discount_frequency"]) == (0, 0)
    assert bread["price_level"] == 0
    assert tea["price_level"] is None


def test_first_purchases_by_hand(made: dict) -> None:
    """First purchases in 91 days: five of the shop, two in the last 7 days: at the pace of 91 they are 35 / 91."""
    rye, bread, tea = made["rye", 0], made["bread", 0], made["tea", 0]
    seven = 1 * (5 * 7 / 91) / 2
    assert rye["firsts_7d"] == pytest.approx(math.log(seven + 0.5))
    assert rye["firsts_91d"] == pytest.approx(math.log(1 + 0.5))
    assert rye["firsts_7d_of_91d"] == pytest.approx(math.log((seven + 0.5) / (7 / 91 + 0.5)))
    assert bread["firsts_7d"] == pytest.approx(math.log(0.5))
    assert bread["first_share"] == pytest.approx(2.5 / 5)
    # Of the subcategory, bread's two and rye's one of the last 28 days, four in the shop.
    each = (5 * 28 / 91) / 4
    assert rye["subcategory_28d"] == pytest.approx(math.log(3 * each + 0.5))
    assert rye["subcategory_part"] == pytest.approx(math.log((each + 0.1) / (3 * each + 1)))
    assert rye["subcategory_share"] == pytest.approx(5 / 7)
    assert [tea[name] for name in ("subcategory_28d", "subcategory_part", "subcategory_share")] == [None] * 3


def test_a_shop_with_one_purchase(spark: SparkSession) -> None:
    """Nothing is divided by nothing."""
    only = facts_of(spark, [("u", "bread", [3])])["bread", 0]
    unknown = {name for name, value in only.items() if value is None}
    assert unknown == {"repurchase_days", *PROMOTED}
    assert all(math.isfinite(only[name]) for name in (*RHYTHM, *FACT_COLUMNS) if name not in unknown)


def test_sums_have_distinct_names() -> None:
    assert len(set(SUMS)) == len(SUMS)


def test_promotions_of_the_item_and_of_its_rivals_by_hand(spark: SparkSession) -> None:
    """Rye sold on one day in 28, bread on two; tea stands in no subcategory, milk alone in its own."""
    pairs = [("u", "bread", [2, 20]), ("v", "rye", [5]), ("u", "milk", [3]), ("w", "tea", [80])]
    planned = [("bread", 0, 0.5, 0.1, 0.0, 0.2), ("sold nowhere", 0, 1.0, 1.0, 1.0, 1.0)]
    listed = [("bread", 1, 10), ("rye", 1, 10), ("milk", 1, 11), ("sold nowhere", 1, 10)]
    made = facts_of(spark, pairs, planned, listed)
    bread, rye, milk, tea = (made[item, 0] for item in ("bread", "rye", "milk", "tea"))
    assert [bread[name] for name in PROMOTED] == pytest.approx([0.5, 0.1, 0.0, 0.2, 0, 0, 0, 0])
    assert [rye[name] for name in PROMOTED] == pytest.approx([0, 0, 0, 0, 0.5, 0.1, 0.0, 0.2])
    for alone in (milk, tea):
        assert [alone[name] for name in PROMOTED] == [0, 0, 0, 0, None, None, None, None]
    # Nothing was said of the period before.
    assert [made["tea", 1][name] for name in PROMOTED] == [None] * len(PROMOTED)


def test_rivals_count_by_what_they_sold(spark: SparkSession) -> None:
    """Of three breads, the second is promoted everywhere and sold on two days, the third is not and sold on one."""
    pairs = [("u", "a", [2]), ("u", "b", [2, 3]), ("u", "c", [4])]
    told = facts_of(spark, pairs, [("b", 0, 1.0, 0.0, 0.0, 0.0)], [(item, 1, 10) for item in "abc"])
    assert told["a", 0]["rival_mailer_ahead"] == pytest.approx(2.1 / (2.1 + 1.1))


def test_where_nothing_is_promoted_nothing_is_said(made: dict) -> None:
    assert all(row[name] is None for row in made.values() for name in PROMOTED)
