"""What one rank does, whatever the model: see to its memory, load, train, export, write the weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from shoprec.training.checkpoints import Checkpoints
from shoprec.training.config import TrainingConfig
from shoprec.training.lanes import Lanes
from shoprec.training.loop import Trainable, curves, facts_of, train
from shoprec.training.memory import check_fits
from shoprec.training.precision import precision
from shoprec.training.reader import Snapshot
from shoprec.training.reports import Report, now_and_then
from shoprec.training.storage import Folder
from shoprec.training.weights import write_weights
from shoprec.training.worker import Rank
from shoprec.usage import free_bytes


@dataclass(frozen=True)
class Parts:
    """What is a model's own.

    :ivar needs: what takes memory on a rank -> bytes, at most
    :ivar advice: what to set where that is too much
    :ivar load: the model, untrained, with the samples of the rank whose lanes these are
    :ivar export: writes, of what ``load`` gave, the embeddings of the rank's share of users and items; tells now and
        then that it lives
    """

    needs: Callable[[Snapshot], Mapping[str, int]]
    advice: str
    load: Callable[[Snapshot, Lanes], Trainable]
    export: Callable[[Any, Snapshot, Folder, Report], None]


def train_and_export(rank: Rank, arguments: Mapping[str, Any], config: TrainingConfig, parts: Parts) -> dict[str, Any]:
    """Train on the snapshot in ``arguments['snapshot']``; embeddings and weights go to folders named there.

    :param arguments: snapshot, checkpoints, embeddings, model (folders), settings, seed
    :returns: facts of the training, with the weights' SHA-256
    :raises ConfigError: a rank needs more memory than it may use
    """
    group, often = rank.collectives, now_and_then(rank.report)
    snapshot = Snapshot(Folder(arguments["snapshot"]), lambda: often({"kind": "read"}))
    needs = parts.needs(snapshot)
    allowed = int(config.rank_memory_gib * 2**30) or free_bytes() // group.local_size
    if group.rank == 0:
        text = f"{sum(needs.values()) / 2**20:,.0f} MiB a rank, {allowed / 2**20:,.0f} MiB allowed"
        rank.report({"kind": "message", "text": text})
    check_fits(needs, allowed, parts.advice)
    group.barrier()

    lanes = Lanes(snapshot.rows("samples"), config.lanes, config.batch, group.rank, group.size)
    task = parts.load(snapshot, lanes)
    group.barrier()  # one rank may take longer to load than ranks wait for each other in a step
    checkpoints = Checkpoints(Folder(arguments["checkpoints"]), config.checkpoints)
    history = train(task, lanes, config, group, checkpoints, arguments["seed"], rank.report)

    out = Folder(arguments["embeddings"])
    if group.rank == 0:
        out.delete("users")
        out.delete("items")
    group.barrier()
    with torch.no_grad(), precision(config, rank.device):
        parts.export(task, snapshot, out, often)
    facts = {**facts_of(history, snapshot.rows("samples"), group.size), "bytes_needed": needs}
    if group.rank == 0:
        told = {"settings": arguments["settings"], "snapshot": snapshot.manifest.facts, "training": curves(facts)}
        facts["sha256"] = write_weights(Folder(arguments["model"]), "model", task.named_parameters(), told)
    return facts
