"""The kernel of known items: one user's rhythm by hand, periods, labels, and users that do not touch one another."""

import math
import random

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from shoprec.packed import unpacked
from shoprec.ranking.config import FEATURES, HABIT
from shoprec.ranking.habit_features import NAMES
from shoprec.ranking.habits import LEARNT, Habits, habits
from shoprec.ranking.item_facts import RHYTHM
from tests.ranking.test_histories import day, packed_days

KERNEL = Habits(periods=2, horizon=14, most=3)

#: u came 2, 12, 20, 22 and 60 days ago; bread and rye are of one subcategory, tea of none.
BREAD = {"item_id": "bread", "days": [2, 22, 60], "department": 1, "category": 10, "subcategory": 100, "brand": 7}
RYE = {"item_id": "rye", "days": [12, 22], "department": 1, "category": 10, "subcategory": 100, "brand": 8}
MILK = {"item_id": "milk", "days": [2], "department": 1, "category": 10, "subcategory": 101, "brand": 7}
TEA = {"item_id": "tea", "days": [20]}


def rows_of(*rows: dict, **facts: float) -> pa.Table:
    """Rows as the kernel takes them; a unit a day for 2, and every item with the same facts: 1, or as told."""
    item = {name: facts.get(name, 1.0) for name in RHYTHM}
    told = [{"user_id": "u", "tie": i, "teaches": True, **row} for i, row in enumerate(rows)]
    days = [[{**dict(day(age), units=1.0, paid=2.0, priced=1.0)} for age in row["days"]] for row in told]
    then = [np.array(list(item.values()) * (2 if row["teaches"] else 1), np.float32).tobytes() for row in told]
    numbers = ("department", "category", "subcategory", "brand", "tie")
    return pa.table({
        "user_id": [row["user_id"] for row in told],
        "item_id": [row["item_id"] for row in told],
        "teaches": [row["teaches"] for row in told],
        "days": packed_days(*days),
        "then": pa.array(then, pa.binary()),
        **{name: pa.array([row.get(name) for row in told], pa.int64()) for name in numbers},
    })  # fmt: skip


def made(table: pa.Table, period: int = 0, kernel: Habits = KERNEL) -> dict[str, dict]:
    return {row["item_id"]: row for row in kernel(table).to_pylist() if row["period"] == period}


@pytest.fixture(scope="module")
def bread() -> dict:
    return made(rows_of(BREAD, RYE, MILK, gap=20.0, repeat_rate=0.5, repurchase_days=8.0, price=3.0))["bread"]


def test_rhythm_by_hand(bread: dict) -> None:
    """Bread on the visits 0, 2 and 3 of four (2, 12, 22 and 60 days ago), 20 and 38 days apart."""
    gap = (58 + 2 * 20) / (2 + 2)
    habit = 1 + 0.5 ** (2 / 17) + 0.5 ** (3 / 17)
    trips = (3 + 1 + 1) / (60 + 7) * 14
    expected = {
        HABIT: (habit + 2 * 0.5) / (1 + (2 / (6 * gap)) ** 2),
        "trips": trips,
        "pair_days": 3, "pair_age": 2, "pair_first_age": 60, "pair_gap": 29, "pair_overdue": 2 / 29,
        "pair_item_overdue": 0.25, "pair_last_gap": 20, "pair_gap_spread": 9 / 29, "pair_usual_gap": gap,
        "pair_due": 2 / gap,
        "pair_hazard": 0.5 / 3,  # both gaps were longer than 2 days, and ended after more than 14 more
        "pair_visits": 0, "pair_visit_gap": 1.5, "pair_visit_rate": 0.75, "pair_visit_share": 0.75,
        "pair_visits_missed": 0, "pair_expected": 1 - math.exp(-trips * 0.75),
        "pair_last_visits_5": 3, "pair_habit_5": 1 + 0.5**0.4 + 0.5**0.6,
        "pair_decayed_30": sum(0.5 ** (age / 30) for age in (2, 22, 60)),
        "pair_period_rate": 3 / 6,  # days 2, 22 and 60 lie in the periods 0, 1 and 4, five begun and one more
        "pair_periods": 1 + 0.8 + 0.8**4,
        "pair_units": 1, "pair_spend_share": 0.5,
        "pair_lines_since": 0, "pair_last_basket": 2,
        "pair_basket_share": (1 / 2 + 1 / 2 + 1) / 3,
    }  # fmt: skip
    assert {name: bread[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_levels_by_hand(bread: dict) -> None:
    """Its subcategory was bought 2, 12, 22 and 60 days ago; of six days in its category half were its own."""
    decayed = {age: 0.5 ** (age / 60) for age in (2, 12, 22, 60)}
    own = decayed[2] + decayed[22] + decayed[60]
    rye, milk = decayed[12] + decayed[22], decayed[2]
    visits = [0.5 ** (n / 17) for n in range(4)]
    expected = {
        "subcategory_days": 4, "subcategory_age": 2, "subcategory_gap": (58 + 40) / 5,
        "subcategory_part": (visits[0] + visits[2] + visits[3]) / sum(visits), "subcategory_best": 1,
        "category_days": 6, "brand_days": 4,
        "subcategory_affinity": (own + rye) / (own + rye + milk), "department_affinity": 1,
        "brand_affinity": (own + milk) / (own + rye + milk),
        "price_ratio": 1.5, "item_trend_7d": 1,
    }  # fmt: skip
    assert {name: bread[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_lines_since_the_last_purchase() -> None:
    """Rye was last bought 12 days ago; since then one visit with two lines."""
    rye = made(rows_of(BREAD, RYE, MILK))["rye"]
    assert rye["pair_lines_since"] == 2
    assert rye["pair_visits"] == 1
    assert rye["pair_visits_missed"] == pytest.approx(10 / ((60 - 2) / 3))


def test_what_is_not_known_is_null() -> None:
    """Tea, bought once, has neither gaps nor a place in the catalogue."""
    tea = made(rows_of(BREAD, TEA))["tea"]
    gaps = ("pair_gap", "pair_overdue", "pair_last_gap", "pair_gap_spread", "pair_visit_gap")
    places = ("subcategory_days", "subcategory_affinity", "category_days", "brand_days", "price_ratio")
    assert [tea[name] for name in (*gaps, *places)] == [None] * 10
    assert tea["pair_days"] == 1


def test_an_earlier_period_has_its_own_days_and_what_followed() -> None:
    """Fourteen days back, bread was 8 days old and was bought again, rye too; milk was not known yet."""
    rows = made(rows_of(BREAD, RYE, MILK, TEA), period=1)
    assert {item: row["label"] for item, row in rows.items()} == {"bread": 1, "rye": 1, "tea": 0}
    assert rows["bread"]["pair_age"] == 8
    assert rows["bread"]["pair_days"] == 2
    assert rows["tea"]["pair_age"] == 6


def test_today_has_no_label_and_the_most_of_the_highest_scores() -> None:
    """The least habitual of four is left out of three; of equals, those of the lower ties stay."""
    rows = made(rows_of(BREAD, RYE, MILK, TEA))
    assert set(rows) == {"bread", "rye", "milk"}
    assert {row["label"] for row in rows.values()} == {0}
    alike = [{**TEA, "item_id": f"tea {i}", "tie": (i * 7) % 5} for i in range(5)]
    assert set(made(rows_of(*alike))) == {"tea 0", "tea 1", "tea 3"}


def test_who_does_not_teach_is_only_ranked() -> None:
    rows = KERNEL(rows_of({**BREAD, "teaches": False}, {**BREAD, "user_id": "v", "tie": 1})).to_pylist()
    assert sorted((row["user_id"], row["period"]) for row in rows) == [("u", 0), ("v", 0), ("v", 1)]
    alone = KERNEL(rows_of({**BREAD, "user_id": "v", "tie": 1})).to_pylist()
    assert [row for row in rows if row["user_id"] == "v"] == alone


def test_users_do_not_touch_one_another_and_come_one_after_another() -> None:
    """Rows of two users, mixed, give each what they give alone."""
    mine = [{**row, "tie": i} for i, row in enumerate((BREAD, RYE, MILK))]
    theirs = [{**row, "user_id": "v", "tie": i} for i, row in enumerate((RYE, TEA))]
    mixed = mine + theirs
    random.Random(1).shuffle(mixed)
    together = KERNEL(rows_of(*mixed)).to_pylist()
    users = [row["user_id"] for row in together]
    assert users in (sorted(users), sorted(users, reverse=True))
    for user, alone in (("u", mine), ("v", theirs)):
        expected = KERNEL(rows_of(*alone)).to_pylist()
        own = [row for row in together if row["user_id"] == user]
        key = lambda row: (row["period"], row["item_id"])  # noqa: E731
        assert sorted(own, key=key) == sorted(expected, key=key)


def test_nobody_bought_anything() -> None:
    assert KERNEL(rows_of(BREAD).slice(0, 0)).num_rows == 0
    assert KERNEL(rows_of(BREAD).slice(0, 0)).column_names[5:] == list(NAMES)


def test_all_is_finite_or_null_whatever_the_days() -> None:
    """Random histories: no infinite number leaves the kernel, and shares lie between 0 and 1."""
    rng = np.random.default_rng(4)
    rows = [
        {"user_id": f"u{i % 7}", "item_id": f"i{i}", "days": sorted({int(d) for d in rng.integers(1, 90, 1 + i % 6)}),
         "department": 1, "category": i % 3, "subcategory": i % 5, "brand": i % 4}
        for i in range(80)
    ]  # fmt: skip
    table = Habits(2, 14, LEARNT)(rows_of(*rows))
    for name in ("trips", *NAMES):
        values = table.column(name).drop_null().to_numpy()
        assert np.isfinite(values).all(), name
        if name.endswith(("_share", "_part", "_affinity", "_best", "_hazard", "_rate", "_expected")):
            assert ((values >= 0) & (values <= 1 + 1e-6)).all(), name


def test_facts_are_those_of_their_period_where_one_is_missing(spark: SparkSession) -> None:
    """Bread's only purchase was taken back 5 days ago: nothing is said of it today, and of then what was known then."""
    rows = rows_of(BREAD, MILK).select(["user_id", "item_id"])
    days = packed_days([day(20, until=5)], [day(2), day(30)])
    told = spark.createDataFrame(rows.append_column("days", days))
    facts = spark.createDataFrame(
        [("bread", 1, *([7.0] * len(RHYTHM))), *(("milk", n, *([float(n)] * len(RHYTHM))) for n in range(2))],
        "item_id string, period int, " + ", ".join(f"{name} double" for name in RHYTHM),
    )
    catalogue = spark.createDataFrame(
        [(item, 1, 1, 1, 1) for item in ("bread", "milk")],
        "item_id string, department long, category long, subcategory long, brand long",
    )
    made = habits(told, facts, catalogue, F.lit(True), KERNEL)
    rows = unpacked(made.drop(HABIT).toArrow(), {FEATURES: NAMES}).to_pylist()
    assert {(row["item_id"], row["period"]): row["item_trend_7d"] for row in rows} == {
        ("milk", 0): 0, ("bread", 1): 7, ("milk", 1): 1,
    }  # fmt: skip
    assert {row["item_id"] for row in made.where("period = 0").collect()} == {"milk"}
