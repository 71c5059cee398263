"""One rank's training of the towers: load, train, export; what the launcher calls on every rank."""

from typing import Any

import numpy as np
import torch

from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.models.two_tower.memory import ADVICE, bytes_needed
from shoprec.models.two_tower.model import TwoTower
from shoprec.models.two_tower.task import Samples, TwoTowerTask
from shoprec.models.two_tower.tensors import Columns, Items, load_items, load_users, user_batches
from shoprec.models.two_tower.validation import load_held_out
from shoprec.training.lanes import Lanes, bounds
from shoprec.training.rank import Parts, train_and_export
from shoprec.training.reader import Snapshot, column
from shoprec.training.reports import Report
from shoprec.training.storage import Folder
from shoprec.training.vectors import write_vectors
from shoprec.training.worker import Rank

#: Items embedded at a time for the export.
BLOCK = 65536


def train_two_tower(rank: Rank, arguments: dict[str, Any]) -> dict[str, Any]:
    """``training.rank.train_and_export`` of the towers; ``arguments['settings']`` are of TwoTowerConfig."""
    config, seed = TwoTowerConfig(**arguments["settings"]), arguments["seed"]

    def needs(snapshot: Snapshot) -> dict[str, int]:
        return bytes_needed(snapshot, Columns.of(snapshot), config, rank.collectives.size)

    def load(snapshot: Snapshot, lanes: Lanes) -> TwoTowerTask:
        return load_task(snapshot, Columns.of(snapshot), config, lanes, rank.device, seed)

    def export(task: TwoTowerTask, snapshot: Snapshot, out: Folder, often: Report) -> None:
        export_users(task.model, snapshot, Columns.of(snapshot), config, rank, out)
        export_items(task.model, task.items, rank, out, often)

    return train_and_export(rank, arguments, config, Parts(needs, ADVICE, load, export))


def load_task(
    snapshot: Snapshot, columns: Columns, config: TwoTowerConfig, lanes: Lanes, device: torch.device, seed: int
) -> TwoTowerTask:
    """The towers, untrained, with the samples of the rank whose ``lanes`` these are."""
    pieces = {"user_idx": [], "item_idx": [], "weight": []}
    for batch in snapshot.batches("samples", list(pieces), lanes.first, lanes.last):
        for name, arrays in pieces.items():
            arrays.append(column(batch, name, np.float32 if name == "weight" else np.int64))
    user, item, weight = (np.concatenate(arrays) if arrays else np.zeros(0) for arrays in pieces.values())
    wanted, place = np.unique(user, return_inverse=True)
    samples = Samples(*(torch.from_numpy(array).to(device) for array in (place, item, weight)))
    model = build(columns, config, seed).to(device)
    users = load_users(snapshot, columns, config, wanted, device)
    items, held_out = load_items(snapshot, columns, device), load_held_out(snapshot, columns, config, device)
    return TwoTowerTask(model, samples, users, items, held_out, config, seed)


def build(columns: Columns, config: TwoTowerConfig, seed: int) -> TwoTower:
    """The towers with their first weights, which depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TwoTower(columns.shape, config)


def export_users(
    model: TwoTower, snapshot: Snapshot, columns: Columns, config: TwoTowerConfig, rank: Rank, out: Folder
) -> None:
    """Write the embeddings of this rank's share of all users, those without samples too."""
    first, last = bounds(snapshot.rows("users"), rank.collectives.rank, rank.collectives.size)
    for number, (ids, user) in enumerate(user_batches(snapshot, columns, config, first, last, rank.device)):
        name = f"users/part-{rank.collectives.rank:05d}-{number:05d}.parquet"
        write_vectors(out, name, "user_idx", ids, model.embed_users(user))


def export_items(model: TwoTower, items: Items, rank: Rank, out: Folder, often: Report) -> None:
    """Write the embeddings of this rank's share of all items."""
    first, last = bounds(len(items.text_I), rank.collectives.rank, rank.collectives.size)
    for number, low in enumerate(range(first, last, BLOCK)):
        often({"kind": "write"})
        ids = torch.arange(low, min(low + BLOCK, last), device=rank.device)
        name = f"items/part-{rank.collectives.rank:05d}-{number:05d}.parquet"
        write_vectors(out, name, "item_idx", ids.cpu().numpy(), model.items(*items.of(ids)))
