"""What the model is trained on, from small gold tables."""

import dataclasses

import pytest
from pyspark.sql import functions as F

from shoprec.errors import ConfigError
from shoprec.models.texts import item_texts
from shoprec.models.two_tower.data import Inputs, plan
from tests.models.two_tower.planted import ITEMS, USERS, chosen, planted, small


@pytest.fixture(scope="module")
def inputs(spark):
    frames = planted(spark)
    return Inputs(**{field.name: getattr(frames, field.name).cache() for field in dataclasses.fields(frames)})


@pytest.fixture(scope="module")
def tables(inputs):
    planned = plan(inputs, small(user_buckets=4, recent_half_life_days=10), seed=1).tables
    shuffled = {"samples": planned["samples"].ordered()}
    return {name: [row.asDict() for row in frame.collect()] for name, frame in {**planned, **shuffled}.items()}


def age(user, item):
    return (3 * user + 5 * item) % 50


def test_pairs_are_trained_on_or_held_out_never_both(tables):
    samples = [(row["user_idx"], row["item_idx"]) for row in tables["samples"]]
    held = [(row["user_idx"], item) for row in tables["validation"] for item in row["held"]]
    assert sorted(samples + held) == sorted(chosen())
    # About half of the users hold out a fifth of their pairs younger than 28 days.
    assert 10 < len(tables["validation"]) < 45
    assert 0 < len(held) < 0.2 * len(chosen())
    assert all(age(*pair) < 28 for pair in held)
    seen = {row["user_idx"]: row["seen"] for row in tables["validation"]}
    assert all(items == sorted(item for user, item in samples if user == one) for one, items in seen.items())


def test_recent_items_are_the_latest_that_are_trained_on(tables):
    samples = [(row["user_idx"], row["item_idx"]) for row in tables["samples"]]
    assert [row["user_idx"] for row in sorted(tables["users"], key=lambda r: r["user_idx"])] == list(range(USERS))
    for row in tables["users"]:
        ages = sorted(age(*pair) for pair in samples if pair[0] == row["user_idx"])[:6]
        assert [age(row["user_idx"], item) for item in row["recent"]] == ages
        assert row["recent_weight"] == pytest.approx([0.5 ** (a / 10) for a in ages], rel=1e-6)
        assert 0 <= row["w_user_bucket"] < 4


def test_weights_are_those_of_all_origins_times_importance(spark, inputs):
    rows = [(0, 1, 2.0, 0.5, 3.0), (0, 1, 1.0, 3.0, 1.0), (2, 3, 1.0, 1.0, 100.0)]
    samples = spark.createDataFrame(rows, inputs.samples.schema)
    planned = plan(dataclasses.replace(inputs, samples=samples), small(validation_users=0), seed=1)
    written = {(r["user_idx"], r["item_idx"]): r["weight"] for r in planned.tables["samples"].ordered().collect()}
    assert written == {(0, 1): 4.0, (2, 3): 1.0}
    assert planned.tables["validation"].count() == 0


def test_items_with_one_text_share_it(tables):
    items = {row["item_idx"]: row for row in tables["items"]}
    assert sorted(items) == list(range(ITEMS))
    texts = {row["text_idx"]: row["vector"] for row in tables["texts"]}
    assert len(texts) == len(tables["texts"]) == 8
    for number, row in items.items():
        if number % 9 == 0:
            assert row["text_idx"] == -1
        else:
            same = [n for n in range(ITEMS) if n % 8 == number % 8 and n % 9]
            assert row["text_idx"] == min(same)
    assert {row["w_department"] for row in items.values()} == {1, 2, 3, 4}


def test_the_encoder_that_covers_the_most_items_is_read_unless_one_is_named(spark, inputs):
    more = spark.createDataFrame([("hashed", "text1", [1.0])], inputs.text_embeddings.schema)
    told = inputs.item_index, inputs.item_features, inputs.text_embeddings.union(more)
    assert item_texts(*told, "").agg(F.max(F.size("vector"))).first()[0] == 6
    assert item_texts(*told, "hashed").agg(F.max(F.size("vector"))).first()[0] == 1
    assert item_texts(*told, "", wanted=False).count() == 0


def test_columns_that_are_not_there_are_named(inputs):
    with pytest.raises(ConfigError, match="user features have no column 'spent'; did you mean 'spend'"):
        plan(inputs, small(user_numeric=("spent",)), seed=1)


def test_nothing_to_train_on_is_refused(inputs):
    with pytest.raises(ConfigError, match="0 users and 40 items"):
        plan(dataclasses.replace(inputs, user_index=inputs.user_index.limit(0)), small(), seed=1)
