"""The setting that says which sources propose."""

import dataclasses

import pytest
from pydantic import ValidationError
from pyspark.sql import functions as F

from shoprec.contracts.gold import SOURCES
from shoprec.models.sources import KNOWN, CandidatesConfig, Drawn, candidates
from tests.contracts.planted import ITEMS, RISING, USERS, Planted, market


def test_names_take_the_sources_as_they_come():
    told = CandidatesConfig(sources=["als", "buy_again"]).sources
    assert list(told) == ["als", "buy_again"]
    assert (told["als"].kind, told["als"].new, told["als"].bought) == ("embeddings", 60, 40)
    assert (told["buy_again"].kind, told["buy_again"].new) == ("list", 0)
    assert list(CandidatesConfig().sources) == list(SOURCES)
    assert set(SOURCES) <= set(KNOWN)


def test_a_new_model_needs_one_line():
    told = CandidatesConfig(sources={"als": None, "sequence": {"kind": "embeddings", "new": 70}}).sources
    assert (told["sequence"].kind, told["sequence"].new, told["sequence"].bought) == ("embeddings", 70, 40)
    assert told["als"].kind == "embeddings"


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["two_towers"], r"'two_towers' is unknown and names no kind; did you mean 'two_tower'"),
        ({"als": {"nwe": 3}}, "nwe"),
        ({"als": {"new": 0, "bought": 0}}, "propose nothing"),
        ({"als": {"new": -1}}, "greater than or equal to 0"),
        ({"als": {"options": {"rank": 3}}}, "takes no options"),
        ({"popular": {"home_market": True}}, "home_market is for sources of embeddings"),
        ({"popular": {"options": {"half_life": 3}}}, "half_life"),
        ({"popular": {"options": {"half_life_days": float("nan")}}}, "half_life_days"),
        ({"item_knn": {"of": "similiar"}}, "did you mean 'similar'"),
        ({"fashion": {"kind": "list"}}, "no source lies in models/fashion"),
        ({}, "at least 1"),
        ("als", "dict"),
    ],
)
def test_what_is_wrong_is_named(sources, message):
    with pytest.raises(ValidationError, match=message):
        CandidatesConfig(sources=sources)


def test_what_sells_in_other_markets_alone_is_left_out_where_asked(spark):
    # What rises is sold to users of market m0 alone, as planted.
    shop, elsewhere, nowhere = Planted(spark), {7, *RISING[:2]}, RISING[2]
    sold = shop.purchases.where(F.col("item_idx") != nowhere)
    sold = sold.where((F.col("item_idx") != 7) | (F.col("market") == "m0"))
    inputs = dataclasses.replace(shop.inputs, purchases=sold)
    users = shop.user_index.select("user_id", F.array(F.lit(1.0)).cast("array<float>").alias("vector"))
    # The first items are the best.
    items = shop.item_index.select("item_id", F.array((-F.col("item_idx")).cast("float")).alias("vector"))
    told = {"als": {"new": ITEMS, "bought": ITEMS}}
    made = {}
    for home_market in (False, True):
        config = CandidatesConfig(sources={"als": told["als"] | {"home_market": home_market}})
        lists = candidates(config.sources, inputs, Drawn(lambda _: (users, items), lambda _: None)).orderBy("rank")
        made[home_market] = {}
        for row in lists.collect():
            made[home_market].setdefault(row["user_id"], []).append(int(row["item_id"][1:]))
    for user in range(USERS):
        everything, own = (made[home_market][f"u{user:03d}"] for home_market in (False, True))
        assert everything == list(range(ITEMS))
        assert own == [item for item in range(ITEMS) if item not in elsewhere or market(user) == "m0"]
