"""Tables in, embeddings out: the planted tastes are found, and a repeat is the same."""

import dataclasses

import numpy as np
import pytest

from shoprec.models.trained import Places
from shoprec.models.two_tower.data import Inputs
from shoprec.models.two_tower.fit import fit
from shoprec.training.storage import Folder
from tests.models.two_tower.planted import ITEMS, USERS, chosen, kind, planted, small


@pytest.fixture(scope="module")
def inputs(spark):
    frames = planted(spark)
    return Inputs(**{field.name: getattr(frames, field.name).cache() for field in dataclasses.fields(frames)})


def train(inputs, folder, said=None):
    heard = [] if said is None else said
    config = small(epochs=25, patience=25, table_rate=0.2)
    places = Places(Folder(f"{folder}/training"), Folder(f"{folder}/model"))
    return fit(inputs, config, places, 1, heard.append)


def vectors(frame, key):
    rows = sorted((row[key], row["vector"]) for row in frame.collect())
    return [name for name, _ in rows], np.array([vector for _, vector in rows])


def test_planted_tastes_are_found_and_a_repeat_is_the_same(inputs, tmp_path):
    said = []
    trained = train(inputs, tmp_path / "one", said)
    user_ids, users = vectors(trained.users, "user_id")
    item_ids, items = vectors(trained.items, "item_id")
    assert user_ids == [f"u{n:03d}" for n in range(USERS)]
    assert item_ids == [f"i{n:03d}" for n in range(ITEMS)]
    scores = users @ items.T
    for user, item in chosen():
        scores[user, item] = -np.inf
    best = np.argsort(-scores, axis=1)[:, :4]
    # Of the items that a user has not chosen, about a quarter are of their taste.
    assert np.mean([kind(item) == kind(user) for user in range(USERS) for item in best[user]]) > 0.85
    assert any("epoch 25: loss" in text for text in said)
    assert trained.facts["loss"][-1] < trained.facts["loss"][0]

    shuffled = {field.name: getattr(inputs, field.name).repartition(3) for field in dataclasses.fields(inputs)}
    again = train(Inputs(**shuffled), tmp_path / "two")
    assert again.facts["sha256"] == trained.facts["sha256"]
    said.clear()
    resumed = train(inputs, tmp_path / "one", said)
    assert resumed.facts["sha256"] == trained.facts["sha256"]
    assert "resumed after epoch 25" in said
