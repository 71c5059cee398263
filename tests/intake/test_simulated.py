"""The simulated shop: the same from the same seed, and what was planted can be seen in its rows."""

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from shoprec.errors import ConfigError
from shoprec.intake.readers import deliver
from shoprec.intake.shop import Dataset
from shoprec.intake.simulated import SimulatorOptions, file_names, raw, truth

OPTIONS = SimulatorOptions(
    users=200, items=120, days=84, events_per_user=100, clusters=4, promotion_share=0.3, price_sensitive_share=0.5,
    missing_user_share=0.02, bad_value_share=0.02, unknown_item_share=0.02, duplicate_share=0.02,
    redelivered_share=0.02, corrected_share=0.02, late_share=0.02,
)  # fmt: skip


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    """All transactions, with what was planted on each event."""
    events = truth(spark, OPTIONS).events
    return raw(spark, "transactions", OPTIONS).join(events, on="event", how="inner").cache()


@pytest.fixture(scope="module")
def clean(spark: SparkSession, rows: DataFrame) -> DataFrame:
    """The events without dirt, with what is true of their users and items."""
    planted = truth(spark, OPTIONS)
    users = planted.users.withColumnsRenamed({"user_id": "user", "cluster": "taste"})
    events = rows.where("dirt = ''").join(users, on="user", how="inner")
    return events.join(planted.items.withColumnRenamed("item_id", "item"), on="item", how="inner").cache()


def digest(frame: DataFrame) -> int:
    return frame.agg(F.bit_xor(F.xxhash64(*frame.columns))).first()[0]


def test_the_same_seed_gives_the_same_rows_however_they_are_split(spark: SparkSession) -> None:
    small = OPTIONS.model_copy(update={"users": 20})
    for table in ("transactions", "products", "users", "promotions"):
        once = raw(spark, table, small)
        assert digest(once) == digest(raw(spark, table, small).repartition(7).coalesce(3))
        assert once.count() > 0
    other = raw(spark, "transactions", small.model_copy(update={"seed": 2}))
    assert digest(other) != digest(raw(spark, "transactions", small))


def test_one_user_and_one_item_have_the_shares_that_are_asked_for(spark: SparkSession) -> None:
    skewed = OPTIONS.model_copy(update={"heavy_user_share": 0.2, "common_item_share": 0.5})
    bought = raw(spark, "transactions", skewed).where("user IS NOT NULL AND item NOT LIKE 'x%'")
    baskets = bought.groupBy("basket").agg(F.max(F.col("item") == "i0").alias("common"))
    usual = raw(spark, "transactions", OPTIONS).where("user IS NOT NULL")
    shares = bought.agg(F.avg((F.col("user") == "u0").cast("int")), F.avg((F.col("item") == "i0").cast("int"))).first()
    heavy = usual.agg(F.avg((F.col("user") == "u0").cast("int"))).first()[0]
    assert shares[0] == pytest.approx(0.2 + 0.8 * heavy, abs=0.02)
    assert 0.5 < shares[1] < 0.6
    assert baskets.agg(F.avg(F.col("common").cast("int"))).first()[0] > 0.5


def test_each_kind_of_dirt_has_its_share_and_its_look(rows: DataFrame) -> None:
    events = OPTIONS.users * OPTIONS.events_per_user
    late = F.expr("timestamp(arrived_at) > timestamp(happened_at) + INTERVAL 3 DAY - INTERVAL 1 MINUTE")
    by_kind = {r["dirt"]: r for r in rows.groupBy("dirt").agg(
        F.count_distinct("event").alias("events"), F.count(F.lit(1)).alias("rows"),
        F.expr("count_if(user IS NULL)").alias("no_user"), F.expr("count_if(quantity = 'many')").alias("bad"),
        F.expr("count_if(item LIKE 'x%')").alias("unknown"), F.count_distinct("event", "_file").alias("in_files"),
        F.count_distinct("event", "quantity", "arrived_at").alias("contents"),
        F.count_if(late).alias("late"),
    ).collect()}  # fmt: skip
    for kind, row in by_kind.items():
        if kind:
            # 400 events expected of each kind: 5 standard deviations are 99.
            assert abs(row["events"] - 0.02 * events) < 100, kind
        twice = kind in ("duplicate", "redelivered", "corrected")
        assert row["rows"] == row["events"] * (2 if twice else 1), kind
        assert row["no_user"] == (row["rows"] if kind == "missing_user" else 0), kind
        assert row["bad"] == (row["rows"] if kind == "bad_value" else 0), kind
        assert row["unknown"] == (row["rows"] if kind == "unknown_item" else 0), kind
        assert row["late"] == (row["rows"] if kind == "late" else 0), kind
        assert row["contents"] == (row["rows"] if kind == "corrected" else row["events"]), kind
    assert sum(row["events"] for row in by_kind.values()) == events
    assert by_kind["duplicate"]["in_files"] == by_kind["duplicate"]["events"]
    assert by_kind["redelivered"]["in_files"] == by_kind["redelivered"]["rows"]


def test_users_keep_to_their_taste(clean: DataFrame) -> None:
    """0.2 are staples, all of the own cluster; of the rest 0.8 are, and a quarter of the strays by chance."""
    share = clean.agg(F.avg((F.col("taste") == F.col("cluster")).cast("int"))).first()[0]
    assert abs(share - (0.2 + 0.8 * (0.8 + 0.2 / 4))) < 0.02


def test_the_price_sensitive_buy_cheaper_and_more_on_offer(clean: DataFrame) -> None:
    drawn = clean.where("item != staple AND type = 'purchase' AND NOT rising")
    offers = F.avg((F.col("saved").cast("double") > 0).cast("int")).alias("offers")
    got = {
        r["price_sensitive"]: r
        for r in drawn.groupBy("price_sensitive").agg(offers, F.avg(F.log("price")).alias("price")).collect()
    }
    assert got[True]["price"] < got[False]["price"] - 0.2
    # Of two items one of which is on offer (a quarter less: d = .29 of prices even over L = ln 50), that one is the
    # cheaper with chance 1/2 + d/L - d²/2L² = .57. With .3 of items on offer that gives the sensitive .09 + .42 · .57,
    # .03 more than the others. Both draws may be one item, and some 360 item-weeks decide: .02 either way.
    assert got[True]["offers"] - got[False]["offers"] == pytest.approx(0.03, abs=0.02)


def test_rising_items_rise(clean: DataFrame) -> None:
    half = F.when(F.col("happened_at") < "2020-02-17", "first").otherwise("second")
    shares = (
        clean.where("item != staple").groupBy(half.alias("half")).agg(F.avg(F.col("rising").cast("int")).alias("share"))
    )
    got = {r["half"]: r["share"] for r in shares.collect()}
    # The trend draws 0.05 of the first half's events on average and 0.15 of the second's.
    assert 0.05 < got["second"] - got["first"] < 0.15


def test_staples_come_in_their_rhythm(clean: DataFrame) -> None:
    """Bought again on days that differ by multiples of the user's period: far more often than the chance of 1 in 7."""
    day = F.datediff(F.col("happened_at").cast("timestamp"), F.lit("2020-01-06")) % 7
    days = clean.where("item = staple").groupBy("user", day.alias("d")).count()
    best = days.groupBy("user").agg((F.max("count") / F.sum("count")).alias("share"))
    assert best.agg(F.avg("share")).first()[0] > 0.6


def test_few_items_have_most_events(clean: DataFrame) -> None:
    counts = sorted((r["count"] for r in clean.groupBy("item").count().collect()), reverse=True)
    assert sum(counts[: len(counts) // 5]) > 0.45 * sum(counts)


def test_files_hold_what_arrived_in_their_days(rows: DataFrame) -> None:
    arrived = F.datediff(F.col("arrived_at").cast("timestamp"), F.lit("2020-01-06"))
    begins = F.substring("_file", 10, 5).cast("int")
    odd = rows.where("dirt != 'redelivered'").where((arrived < begins) | (arrived >= begins + 7))
    assert odd.count() == 0


def test_what_was_not_delivered_yet_is_not_there(spark: SparkSession) -> None:
    part = OPTIONS.model_copy(update={"delivered_days": 28})
    assert file_names("transactions", part) == ("from-day-00000", "from-day-00007", "from-day-00014", "from-day-00021")
    assert part.digest == OPTIONS.digest
    found = {r["_file"] for r in raw(spark, "transactions", part).select("_file").distinct().collect()}
    assert found == set(file_names("transactions", part))
    everything = raw(spark, "transactions", OPTIONS).select("_file").distinct().collect()
    assert {r["_file"] for r in everything} <= set(file_names("transactions", OPTIONS))


def test_a_shop_is_told_from_others_by_what_it_was_in_lakes_made_before() -> None:
    assert SimulatorOptions().digest == 6221174214623882493
    assert SimulatorOptions(heavy_user_share=0.1).digest != SimulatorOptions(common_item_share=0.1).digest


def test_a_dataset_brings_the_files_that_are_new(spark: SparkSession) -> None:
    options = {"users": 20, "items": 16, "clusters": 4, "days": 28, "events_per_user": 20}
    dataset = Dataset(format="simulated", path="transactions", options=options)
    everything = deliver(spark, "sales", dataset, {})
    size = SimulatorOptions(**options).digest
    known = dict.fromkeys(everything.files[:2], size)
    rest = deliver(spark, "sales", dataset, known)
    assert rest.files == everything.files[2:]
    assert not {r["_file"] for r in rest.rows.select("_file").distinct().collect()} & set(known)
    with pytest.raises(ConfigError, match="files changed"):
        deliver(spark, "sales", dataset, {everything.files[0]: size + 1})
    assert deliver(spark, "sales", dataset, dict.fromkeys(everything.files, size)).rows is None


@pytest.mark.parametrize(
    ("path", "options", "says"),
    [
        ("transactions", {"usrs": 3}, "there is no option 'usrs'; did you mean 'users'"),
        ("transactions", {"users": 0}, "options.users"),
        ("transactions", {"items": 3}, "3 items cannot fill 8 clusters"),
        ("transactions", {"late_share": 0.99, "duplicate_share": 0.2}, "kinds of dirt sum to .*above 1"),
        ("transaction", {}, "no raw table 'transaction'; did you mean 'transactions'"),
    ],
)
def test_wrong_options_are_named(spark: SparkSession, path: str, options: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        deliver(spark, "sales", Dataset(format="simulated", path=path, options=options), {})
