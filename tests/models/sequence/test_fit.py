"""Tables in, embeddings out: the planted order is found, and a repeat is the same."""

import dataclasses

import numpy as np
import pytest

from shoprec.errors import ConfigError
from shoprec.models.sequence import data
from shoprec.models.sequence.config import SequenceConfig
from shoprec.models.sequence.data import Inputs, histories, plan
from shoprec.models.sequence.fit import fit
from shoprec.models.trained import Places
from shoprec.moments import MICROS_A_DAY
from shoprec.training.storage import Folder

USERS, ITEMS, LONG = 60, 10, 6


def settings(**told):
    small = {
        "launcher": "in_process", "ranks": 1, "lanes": 2, "batch": 20, "epochs": 30, "patience": 30, "width": 16,
        "layers": 1, "heads": 2, "dropout": 0.1, "length": 5, "learning_rate": 0.01, "validation_users": 20,
        "validation_k": 1,
    }  # fmt: skip
    return SequenceConfig(**{**small, **told})


@pytest.fixture(scope="module")
def inputs(spark):
    """Each user goes from some item to the next, one a day; item 0 follows the last."""
    lines = [(f"u{u:02d}", (u + n) % ITEMS, n * MICROS_A_DAY) for u in range(USERS) for n in range(LONG)]
    frames = Inputs(
        purchases=spark.createDataFrame(lines, "user_id string, item_idx int, at long"),
        user_index=spark.createDataFrame([(f"u{n:02d}", n) for n in range(USERS)], "user_id string, user_idx int"),
        item_index=spark.createDataFrame(
            [(f"i{n}", n, -2.3) for n in range(ITEMS)], "item_id string, item_idx int, log_q float"
        ),
        item_features=spark.createDataFrame(
            [(f"i{n}", f"t{n % 3}" if n else None) for n in range(ITEMS)], "item_id string, text_hash string"
        ),
        text_embeddings=spark.createDataFrame(
            [("e", f"t{n}", [float(n), 1.0]) for n in range(3)], "encoder string, text_hash string, vector array<float>"
        ),
    )
    return Inputs(**{field.name: getattr(frames, field.name).cache() for field in dataclasses.fields(frames)})


def trained(inputs, folder, **told):
    places = Places(Folder(f"{folder}/training"), Folder(f"{folder}/model"))
    return fit(inputs, settings(**told), places, 1, lambda _: None)


def vectors(frame, key):
    return np.array([row["vector"] for row in sorted(frame.collect(), key=lambda row: row[key])])


@pytest.mark.parametrize("told", [{}, {"reader": "gru"}, {"full_softmax_items": 2, "negatives": 64, "table_rate": 0.3}])
def test_what_follows_is_foretold(inputs, tmp_path, told):
    # Nothing is held out: an early epoch finds what is, as histories hide half of so few items.
    made = trained(inputs, tmp_path, validation_users=0, **told)
    best = np.argmax(vectors(made.users, "user_id") @ vectors(made.items, "item_id").T, axis=1)
    expected = [(user + LONG) % ITEMS for user in range(USERS)]
    assert np.mean(best == expected) > 0.9
    assert made.facts["loss"][-1] < made.facts["loss"][0] / 2


def test_a_repeat_is_the_same_however_rows_lie(inputs, tmp_path):
    one = trained(inputs, tmp_path / "one", epochs=2, dropout=0.5)
    shuffled = {field.name: getattr(inputs, field.name).repartition(3) for field in dataclasses.fields(inputs)}
    again = trained(Inputs(**shuffled), tmp_path / "two", epochs=2, dropout=0.5)
    assert again.facts["val"] == one.facts["val"]
    assert again.facts["sha256"] == one.facts["sha256"]


def test_histories_are_in_their_order_and_as_long_as_asked(spark):
    day = MICROS_A_DAY
    lines = [("u", 3, 0), ("u", 1, 2 * day), ("u", 1, 2 * day), ("u", 3, 5 * day), ("u", 2, 6 * day), ("v", 7, day)]
    rows = histories(spark.createDataFrame(lines, "user_id string, item_idx int, at long"), 3).collect()
    found = {row["user_id"]: (row["items"], row["days"]) for row in rows}
    assert found == {"u": ([1, 3, 2], [2.0, 3.0, 1.0]), "v": ([7], [0.0])}


def test_the_last_item_of_some_is_held_out_and_not_learnt_from(inputs, monkeypatch):
    monkeypatch.setattr(data, "MOST_HELD", 0.3)
    tables = {name: getattr(table, "rows", table) for name, table in plan(inputs, settings(), 1).tables.items()}
    samples = {row["user_idx"]: row["items"] for row in tables["samples"].collect()}
    users = {row["user_idx"]: row["items"] for row in tables["users"].collect()}
    held = {row["user_idx"]: row for row in tables["validation"].collect()}
    assert 10 < len(held) < 30
    for user in range(USERS):
        whole = [(user + n) % ITEMS for n in range(LONG)]
        assert users[user] == whole[-5:]
        assert samples[user] == (whole[:-1] if user in held else whole)
        if user in held:
            assert (held[user]["items"], held[user]["next"]) == (whole[:-1], whole[-1])
    texts = {row["item_idx"]: row["text_idx"] for row in tables["items"].collect()}
    assert texts == {0: -1, 1: 1, 2: 2, 3: 3, 4: 1, 5: 2, 6: 3, 7: 1, 8: 2, 9: 3}


def test_a_whole_moment_is_held_out(inputs, spark, monkeypatch):
    monkeypatch.setattr(data, "MOST_HELD", 1.0)
    at = [0, 1, 2, 2, 2]
    lines = [("u00", 3 + n, MICROS_A_DAY * one) for n, one in enumerate(at)] + [("u01", n, 0) for n in range(4)]
    baskets = dataclasses.replace(
        inputs, purchases=spark.createDataFrame(lines, "user_id string, item_idx int, at long")
    )
    told = plan(baskets, settings(validation_users=1000), 1).tables
    (held,) = told["validation"].collect()
    assert (held["user_idx"], held["items"]) == (0, [3, 4])
    assert held["next"] in {5, 6, 7}
    samples = {row["user_idx"]: row["items"] for row in told["samples"].rows.collect()}
    assert samples[0] == [3, 4]
    assert sorted(samples[1]) == [0, 1, 2, 3], "of one moment alone nothing can be held out"


def test_without_a_history_of_two_there_is_nothing_to_learn(inputs, spark, tmp_path):
    one = dataclasses.replace(
        inputs, purchases=spark.createDataFrame([("u00", 1, 0)], "user_id string, item_idx int, at long")
    )
    with pytest.raises(ConfigError, match="nothing to learn from"):
        trained(one, tmp_path)
