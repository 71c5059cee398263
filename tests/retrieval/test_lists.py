"""Shares of a market's list and the order of lists, by hand."""

from pyspark.sql import functions as F

from shoprec.retrieval.lists import best_of, considered, for_users, ranked
from shoprec.retrieval.ties import tie_order


def test_each_user_gets_the_first_new_and_the_first_bought(spark):
    lists = spark.createDataFrame(
        [("a", item, f"i{item}", 1.0 - item / 10) for item in range(6)] + [("b", 9, "i9", 0.5)],
        "market string, item_idx int, item_id string, score double",
    )
    users = spark.createDataFrame(
        [("u1", "a", [0, 2, 5]), ("u2", "a", None), ("u3", "b", [9]), ("u4", "c", None)],
        "user_id string, market string, seen array<int>",
    )
    found = {}
    for row in for_users(lists, users, 2, 2).orderBy(F.desc("score")).collect():
        found.setdefault(row["user_id"], []).append((row["item_idx"], row["score"]))
    assert found == {
        "u1": [(0, 1.0), (1, 0.9), (2, 0.8), (3, 0.7)],
        "u2": [(0, 1.0), (1, 0.9)],
        "u3": [(9, 0.5)],
    }
    assert {row["item_idx"] for row in for_users(lists, users, 0, 5).collect()} == {0, 2, 5, 9}
    assert {row["item_idx"] for row in for_users(lists, users, 1, 0).collect()} == {1, 0}


def test_at_the_cut_each_user_has_an_order_of_ties(spark):
    lists = spark.range(8).selectExpr(
        "'a' AS market", "CAST(id AS int) AS item_idx", "concat('i', id) AS item_id", "IF(id = 0, 2.0D, 1.0D) AS score"
    )
    users = spark.range(20).selectExpr("concat('u', id) AS user_id", "'a' AS market", "array(7, 6, 5) AS seen")
    rows = for_users(lists, users, 2, 1).collect()
    pairs = spark.createDataFrame(
        [(f"u{u}", f"i{i}", i) for u in range(20) for i in range(8)], "u string, i string, n int"
    )
    tie = {(row["u"], row["n"]): row["tie"] for row in pairs.withColumn("tie", tie_order("u", "i")).collect()}
    for user in (f"u{u}" for u in range(20)):
        new = min((tie[user, n], n) for n in (1, 2, 3, 4))[1]
        old = min((tie[user, n], n) for n in (5, 6, 7))[1]
        assert {row["item_idx"] for row in rows if row["user_id"] == user} == {0, new, old}
    assert len({row["item_idx"] for row in rows}) > 4


def test_ranks_follow_the_score_and_ties_the_hash(spark):
    scored = spark.createDataFrame(
        [("u", 0, 1.0), ("u", 1, 2.0), ("u", 2, 1.0), ("v", 0, 3.0), ("w", 0, 1.0)],
        "user_id string, item_idx int, score double",
    )
    users = spark.createDataFrame([("u", "a"), ("v", "b")], "user_id string, market string")
    items = spark.createDataFrame([("x", 0), ("y", 1), ("z", 2)], "item_id string, item_idx int")
    hashes = spark.createDataFrame([("u", "x"), ("u", "z")], "u string, i string").select(tie_order("u", "i")).collect()
    tied = ["x", "z"] if hashes[0][0] < hashes[1][0] else ["z", "x"]
    rows = ranked(scored, users, items).collect()
    assert {(r["user_id"], r["rank"]): (r["market"], r["item_id"], r["score"]) for r in rows} == {
        ("u", 1): ("a", "y", 2.0),
        ("u", 2): ("a", tied[0], 1.0),
        ("u", 3): ("a", tied[1], 1.0),
        ("v", 1): ("b", "x", 3.0),
    }
    best = best_of(scored.where("user_id = 'u'").join(items, "item_idx"), "user_id", 2).collect()
    assert {(r["user_id"], r["item_idx"]) for r in best} == {("u", 1), ("u", {"x": 0, "z": 2}[tied[0]])}


def test_a_market_considers_its_own_items_and_the_widest(spark):
    own = spark.createDataFrame([("a", 0, 2.5), ("a", 1, 1.0)], "market string, item_idx int, count double")
    markets = spark.createDataFrame([("a",), ("b",)], "market string")
    widest = spark.createDataFrame([(1,), (7,)], "item_idx int")
    rows = considered(own, markets, widest).collect()
    assert sorted((r["market"], r["item_idx"], r["count"]) for r in rows) == [
        ("a", 0, 2.5), ("a", 1, 1.0), ("a", 7, 0.0), ("b", 1, 0.0), ("b", 7, 0.0),
    ]  # fmt: skip
