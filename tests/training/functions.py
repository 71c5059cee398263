"""Training functions for the launchers' tests: small, and importable by every rank."""

import os
import signal
import time

import torch

from shoprec.errors import ConfigError
from shoprec.training.collectives import broadcast_facts


def meet(rank, arguments):
    """What each collective gives, for two ranks and more."""
    group = rank.collectives
    value = torch.full((2,), float(group.rank + 1))
    group.broadcast(value)
    own = torch.sparse_coo_tensor([[group.rank, 5, 5]], torch.ones(3, 2), (9, 2), check_invariants=True)
    facts = broadcast_facts(group, {"from": group.rank}, rank.device)
    times = group.rank + 1
    uneven = torch.sparse_coo_tensor([[8] * times], torch.ones(times, 1), (9, 1), check_invariants=True)
    pair = torch.tensor([1.0, float(group.rank)], dtype=torch.float64)
    table, total, column = group.reduce(own, pair, uneven)()
    group.barrier()
    rank.report({"kind": "message", "text": "all met"})
    return {
        "size": group.size,
        "local": [group.local_rank, group.local_size],
        "value": value.tolist(),
        "facts": facts,
        "total": total.tolist(),
        "table": table.to_dense()[:, 0].tolist(),
        "column": column.to_dense()[:, 0].tolist(),
        "threads": torch.get_num_threads(),
        "echo": arguments["echo"],
    }


def refuse(rank, arguments):
    """One rank finds fault with the settings."""
    if rank.collectives.rank == 1:
        raise ConfigError("rank 1 has no room")
    rank.collectives.barrier()


def stop(rank, arguments):
    """One rank sends itself a signal, killed or stopped, while the others go on."""
    for step in range(10_000):
        if rank.collectives.rank == 1 and step == 3:
            os.kill(os.getpid(), getattr(signal, arguments["signal"]))
        one_row = torch.sparse_coo_tensor([[0]], [[1.0]], (2, 1), check_invariants=True)
        rank.collectives.reduce(torch.ones(1), one_row)()
        time.sleep(0.05)


def be_silent(rank, arguments):
    """Every rank waits, and none says a word."""
    time.sleep(600)
