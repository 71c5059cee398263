"""The validation figure against lists made and counted one by one."""

import numpy as np
import pytest
import torch

from shoprec.models.two_tower import validation
from shoprec.models.two_tower.tensors import Columns, load_items
from shoprec.models.two_tower.train import build
from shoprec.models.two_tower.validation import load_held_out, recall
from shoprec.training.collectives import Alone
from shoprec.training.reader import Snapshot
from shoprec.training.storage import Folder
from tests.models.two_tower.arrow_shop import snapshot
from tests.models.two_tower.planted import ITEMS, small

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = Folder(str(tmp_path_factory.mktemp("shop")))
    snapshot(folder)
    return Snapshot(folder)


class OneOf(Alone):
    """One of several ranks, whose counts are kept."""

    def __init__(self, rank, size):
        self.rank, self.size, self.counts = rank, size, None

    def reduce(self, *tensors):
        (self.counts,) = (tensor.clone() for tensor in tensors)
        return lambda: list(tensors)


@pytest.mark.parametrize("k", [1, 5, 30])
@torch.no_grad()
def test_recall_is_that_of_lists_made_one_by_one(shop, k, monkeypatch):
    monkeypatch.setattr(validation, "BLOCK", 7)
    columns, config = Columns.of(shop), small()
    model, items = build(columns, config, 3), load_items(shop, columns, CPU)
    held_out = load_held_out(shop, columns, config, CPU)
    users = model.embed_users(held_out.users.known).numpy()
    scores = users @ model.items(*items.of(torch.arange(ITEMS))).numpy().T
    shares = []
    for batch in shop.batches("validation"):
        for row in batch.to_pylist():
            place = held_out.users.ids_U.tolist().index(row["user_idx"])
            order = [item for item in np.argsort(-scores[place]) if item not in row["seen"]]
            shares.append(len(set(order[:k]) & set(row["held"])) / min(k, len(row["held"])))
    assert recall(model, held_out, items, k, Alone()) == pytest.approx(np.mean(shares), abs=1e-9)

    ranks = [OneOf(rank, 3) for rank in range(3)]
    alone = OneOf(0, 1)
    for rank in (*ranks, alone):
        recall(model, held_out, items, k, rank)
    assert torch.equal(sum(rank.counts for rank in ranks), alone.counts)


def test_without_held_out_pairs_there_is_no_figure(shop, monkeypatch):
    columns = Columns.of(shop)
    monkeypatch.setattr(shop, "batches", {"validation": iter(())}.__getitem__)
    assert load_held_out(shop, columns, small(), CPU) is None
