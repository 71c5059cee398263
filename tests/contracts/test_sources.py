"""One suite over every source of candidates, on a shop whose answers are planted."""

import dataclasses
from collections import Counter, defaultdict

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from shoprec.models.sources import KNOWN, candidates
from shoprec.retrieval.ties import tie_order
from tests.contracts.makers import MAKERS, Fitted, Maker, drawn
from tests.contracts.planted import ITEMS, NEWCOMER, RISING, USERS, Planted, bought_by, kind, market, staple

NEW, BOUGHT = 6, 4


@pytest.fixture(scope="module")
def shop(spark) -> Planted:
    return Planted(spark)


@pytest.fixture(scope="module", params=MAKERS, ids=lambda maker: maker.name)
def maker(request) -> Maker:
    return request.param


@pytest.fixture(scope="module")
def fitted(maker: Maker, shop: Planted, tmp_path_factory) -> Fitted:
    return {name: rows.cache() for name, rows in maker.fit(shop, tmp_path_factory.mktemp("fitted")).items()}


@pytest.fixture(scope="module")
def lists(maker: Maker, shop: Planted, fitted: Fitted) -> DataFrame:
    return candidates({maker.name: maker.source(NEW, BOUGHT)}, shop.inputs, drawn(fitted)).cache()


@pytest.fixture(scope="module")
def by_user(lists: DataFrame) -> dict[str, list[int]]:
    """user_id -> item numbers, best first."""
    found: dict[str, list[int]] = {}
    for row in lists.orderBy("user_id", "rank").collect():
        found.setdefault(row["user_id"], []).append(int(row["item_id"][1:]))
    return found


def rows_of(lists: DataFrame) -> dict[tuple[str, str], tuple]:
    return {(row["user_id"], row["item_id"]): (row["rank"], row["score"]) for row in lists.collect()}


def assert_same(one: DataFrame, other: DataFrame) -> None:
    """Equal lists; scores to the tolerance of single precision."""
    left, right = rows_of(one), rows_of(other)
    assert left.keys() == right.keys()
    for pair, (rank, score) in left.items():
        assert right[pair] == (rank, pytest.approx(score, rel=1e-6))


def test_every_known_source_is_in_the_suite():
    assert {maker.name for maker in MAKERS} == set(KNOWN)


def test_quotas_are_kept_and_filled(maker, by_user):
    assert set(by_user) >= {f"u{u:03d}" for u in range(USERS)}
    for user in range(USERS):
        found, bought = by_user[f"u{user:03d}"], bought_by(user)
        assert len(found) == len(set(found))
        old = [item for item in found if item in bought]
        assert len(old) <= BOUGHT
        assert len(found) - len(old) <= (0 if maker.only_bought else NEW)
        if maker.name == "buy_again":
            assert len(old) == BOUGHT


def test_ranks_follow_score_then_hash(lists):
    order = Window.partitionBy("user_id").orderBy(F.desc("score"), tie_order("user_id", "item_id"))
    expected = lists.withColumn("expected", F.row_number().over(order))
    assert expected.where("rank <> expected").count() == 0
    assert lists.where("isnan(score) or abs(score) = double('infinity')").count() == 0


def test_lists_are_for_the_home_market(lists):
    for row in lists.select("user_id", "market").distinct().collect():
        assert row["market"] == ("m1" if row["user_id"] == NEWCOMER else market(int(row["user_id"][1:])))


def test_the_planted_taste_is_found(maker, by_user):
    if not maker.learns:
        pytest.skip("not a source of taste")
    first = [(user, item) for user in range(USERS) for item in _new(by_user, user)[:2]]
    right = sum(kind(item) == kind(user) for user, item in first)
    # By chance a third; 48 users with two items each, four standard errors above it are 0.53.
    assert right / len(first) >= 0.9


def test_what_is_bought_most_comes_first(maker, by_user):
    if maker.name != "buy_again":
        pytest.skip("does not order by the user's own purchases")
    firsts = [next(item for item in by_user[f"u{user:03d}"] if item in bought_by(user)) for user in range(USERS)]
    hits = sum(first == staple(user) for user, first in enumerate(firsts))
    assert hits == USERS


def test_what_rises_is_found(maker, by_user):
    if maker.name != "trending":
        pytest.skip("knows no trend")
    for user in range(USERS):
        assert set(_new(by_user, user)[:2]) <= set(RISING)


def test_seen_items_are_left_out_when_asked(maker, shop, fitted):
    if maker.only_bought:
        pytest.skip("knows nothing else")
    found = candidates({maker.name: maker.source(NEW, 0)}, shop.inputs, drawn(fitted))
    for row in found.collect():
        if row["user_id"] != NEWCOMER:
            assert int(row["item_id"][1:]) not in bought_by(int(row["user_id"][1:]))


def test_a_shorter_list_is_the_head_of_a_longer_one(maker, shop, fitted, by_user):
    found: dict[str, list[int]] = {}
    short = candidates({maker.name: maker.source(2, 1)}, shop.inputs, drawn(fitted))
    for row in short.orderBy("user_id", "rank").collect():
        found.setdefault(row["user_id"], []).append(int(row["item_id"][1:]))
    for user in range(USERS):
        long, bought = by_user[f"u{user:03d}"], bought_by(user)
        head = [i for i in long if i not in bought][:2] + [i for i in long if i in bought][:1]
        assert found[f"u{user:03d}"] == [i for i in long if i in head]


def test_an_item_that_is_not_offered_leaves_its_place_to_the_next(maker, shop, fitted, by_user):
    listed = Counter(item for found in by_user.values() for item in found)
    gone = {item for item, _ in listed.most_common(3)}
    left = shop.inputs.offered.where(~F.col("item_idx").isin(gone))
    inputs = dataclasses.replace(shop.inputs, offered=left)
    found: dict[str, list[int]] = defaultdict(list)
    told = candidates({maker.name: maker.source(NEW, BOUGHT)}, inputs, drawn(fitted))
    for row in told.orderBy("rank").collect():
        found[row["user_id"]].append(int(row["item_id"][1:]))
    assert not gone & {item for items in found.values() for item in items}
    for user, before in by_user.items():
        assert [item for item in found[user] if item in before] == [item for item in before if item not in gone]
    if not maker.only_bought:
        assert any(set(found[user]) - set(before) for user, before in by_user.items())


def test_the_order_of_rows_changes_nothing(maker, shop, fitted, lists):
    elsewhere = {name: rows.repartition(3).sortWithinPartitions(rows.columns[0]) for name, rows in fitted.items()}
    assert_same(lists, candidates({maker.name: maker.source(NEW, BOUGHT)}, shop.shuffled, drawn(elsewhere)))


def test_fitting_again_gives_the_same(maker, shop, lists, tmp_path):
    again = maker.fit(shop, tmp_path)
    if not again:
        pytest.skip("fits nothing")
    left = rows_of(lists)
    right = rows_of(candidates({maker.name: maker.source(NEW, BOUGHT)}, shop.inputs, drawn(again)))
    assert left.keys() == right.keys()
    # Sums of single precision may come in another order: the tolerance that the contract gives embeddings.
    for pair, (_, score) in left.items():
        assert right[pair][1] == pytest.approx(score, rel=1e-3, abs=1e-4)


def test_saved_and_loaded_gives_the_same(maker, shop, fitted, lists, tmp_path):
    if not fitted:
        pytest.skip("fits nothing")
    for name, rows in fitted.items():
        rows.write.parquet(str(tmp_path / name))
    loaded = {name: shop.spark.read.parquet(str(tmp_path / name)) for name in fitted}
    assert_same(lists, candidates({maker.name: maker.source(NEW, BOUGHT)}, shop.inputs, drawn(loaded)))


def test_a_user_without_purchases(maker, by_user):
    found = by_user.get(NEWCOMER, [])
    if maker.name in ("popular", "trending"):
        assert found
        assert len(found) <= NEW
    elif maker.name != "two_tower":
        assert not found


def test_users_outside_the_index_get_nothing(maker, shop, fitted):
    if "users" not in fitted:
        pytest.skip("draws on no table of users")
    stranger = fitted["users"].limit(1).withColumn("user_id", F.lit("stranger"))
    told = drawn({**fitted, "users": fitted["users"].union(stranger)})
    found = candidates({maker.name: maker.source(NEW, 0)}, shop.inputs, told)
    assert found.where("user_id = 'stranger'").count() == 0
    assert found.select("user_id").distinct().count() >= USERS


@pytest.mark.parametrize("bad", ["nan", "infinity"])
def test_numbers_that_are_not_finite_are_refused(maker, shop, fitted, bad):
    if not fitted:
        pytest.skip("takes no numbers")
    broken = dict(fitted)
    if "items" in fitted:
        spoiled = F.transform("vector", lambda x: x + F.lit(bad).cast("float"))
        vector = F.when(F.col("item_id") == "i004", spoiled).otherwise(F.col("vector"))
        broken["items"] = fitted["items"].withColumn("vector", vector)
    else:
        spoiled = F.when(F.col("item_id") == "i004", F.lit(bad).cast("double")).otherwise(F.col("similarity"))
        broken["neighbours"] = fitted["neighbours"].withColumn("similarity", spoiled)
    with pytest.raises(PySparkException, match=r"non-finite|not finite"):
        candidates({maker.name: maker.source(NEW, BOUGHT)}, shop.inputs, drawn(broken)).collect()


def _new(by_user: dict[str, list[int]], user: int) -> list[int]:
    return [item for item in by_user[f"u{user:03d}"] if item not in bought_by(user)]


def test_the_planted_shop_is_what_it_says():
    for user in range(USERS):
        assert all(kind(item) == kind(user) for item in bought_by(user))
        assert staple(user) in bought_by(user)
        assert 8 <= len(bought_by(user)) < ITEMS // 3
