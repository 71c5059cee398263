"""A training function that writes down what each rank saw and what all ranks computed."""

import os
import signal

import numpy as np
import torch

from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.models.two_tower.tensors import Columns
from shoprec.models.two_tower.train import load_task, train_two_tower
from shoprec.training import loop
from shoprec.training.lanes import Lanes
from shoprec.training.optimisers import Optimisers
from shoprec.training.reader import Snapshot
from shoprec.training.storage import Folder


class Watched(Optimisers):
    """Keeps the gradients of each step."""

    def __init__(self, tables, dense, config):
        super().__init__(tables, dense, config)
        self.gradients, self.tables, self.dense = [], tables, dense

    def step(self, done):
        dense = [parameter.grad.reshape(-1) for parameter in self.dense]
        tables = [table.grad.to_dense().reshape(-1) for table in self.tables]
        self.gradients.append(torch.cat([*dense, *tables]).numpy())
        super().step(done)


class Heard:
    """A group that keeps the sums of loss and of weight of each step."""

    def __init__(self, group):
        self.group, self.totals = group, []

    def reduce(self, *tensors):
        waiting = self.group.reduce(*tensors)

        def sums():
            made = waiting()
            self.totals.append(made[0][-2:].tolist())
            return made

        return sums


def one_epoch(rank, arguments):
    """Steps of one epoch: the rows that this rank took, and of every step loss and gradients after the exchange."""
    config, group = TwoTowerConfig(**arguments["settings"]), rank.collectives
    snapshot = Snapshot(Folder(arguments["snapshot"]))
    lanes = Lanes(snapshot.rows("samples"), config.lanes, config.batch, group.rank, group.size)
    task = load_task(snapshot, Columns.of(snapshot), config, lanes, rank.device, arguments["seed"])
    optimisers, heard = Watched(task.tables, task.dense, config), Heard(group)
    rows = [np.where(own < 0, -1, own + lanes.first) for own in lanes.batches(arguments["seed"], 0)]
    loop._epoch(0, task, lanes, config, optimisers, heard, arguments["seed"], rank.report)
    losses, gradients = [total / weight for total, weight in heard.totals], optimisers.gradients
    recall = task.validate(group)
    weights = torch.cat([parameter.detach().reshape(-1) for parameter in task.named_parameters().values()])
    name = f"{arguments['out']}/{group.size}-{group.rank}.npz"
    np.savez(name, rows=np.stack(rows), losses=losses, gradients=np.stack(gradients), weights=weights, recall=recall)


def train_and_die(rank, arguments):
    """Train, and be killed at the end of the epoch that is named."""

    def report(told):
        rank.report(told)
        if told["kind"] == "epoch" and told["epoch"] == arguments["killed_after"]:
            os.kill(os.getpid(), signal.SIGKILL)

    return train_two_tower(type(rank)(rank.collectives, rank.device, report), arguments)
