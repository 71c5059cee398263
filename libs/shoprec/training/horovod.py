"""Horovod's collectives, and the Spark stage that starts its ranks. Nothing else imports horovod."""

import time
from collections.abc import Callable
from typing import Any

import horovod.torch as hvd
import torch

from shoprec.training.collectives import Sums, in_one, stack_sparse

#: Seconds between two looks whether an operation is done: little beside a step, much beside a look.
NAP_S = 0.0003


class HorovodCollectives:
    """Ranks joined by Horovod: Gloo on CPUs, NCCL on GPUs where it was built with it."""

    def __init__(self) -> None:
        hvd.init()
        self.rank, self.size = hvd.rank(), hvd.size()
        self.local_rank, self.local_size = hvd.local_rank(), hvd.local_size()

    def broadcast(self, tensor: torch.Tensor) -> None:
        """Overwrite ``tensor`` with that of rank 0."""
        _done(hvd.broadcast_async_(tensor, root_rank=0, name="broadcast"))

    def reduce(self, *tensors: torch.Tensor) -> Sums:
        """The sum of each over all ranks; the rows of a sparse tensor are gathered and added up on each."""
        waiting = [_begin(tensor, f"reduce.{number}") for number, tensor in enumerate(tensors)]
        return lambda: [finish() for finish in waiting]

    def barrier(self) -> None:
        """Wait until every rank is here."""
        self.reduce(torch.zeros(1))()

    def close(self) -> None:
        """Leave the group."""
        hvd.shutdown()


def _begin(tensor: torch.Tensor, name: str) -> Callable[[], torch.Tensor]:
    """Start on one sum; the function that is returned waits for it."""
    if not tensor.is_sparse:
        total = hvd.allreduce_async(tensor, op=hvd.Sum, name=name)
        return lambda: _done(total)
    pieces, shape = hvd.allgather_async(_evenly(in_one(tensor.coalesce())), name=name), tensor.shape
    return lambda: stack_sparse(_done(pieces), shape)


def _evenly(rows: torch.Tensor) -> torch.Tensor:
    """The rows, and below them up to an eighth as many of zeros, which add nothing to the table's first row.

    So their number seldom changes from step to step: on an operation of another shape Horovod's ranks agree anew.
    """
    unit = 1 << max(0, len(rows).bit_length() - 3)
    return torch.nn.functional.pad(rows, (0, 0, 0, -len(rows) % unit))


def _done(handle: int) -> torch.Tensor:
    """What an operation made, once it is done.

    Horovod's own wait looks again and again, on a core that the ranks of a small machine need for the work itself.
    """
    while not hvd.poll(handle):
        time.sleep(NAP_S)
    return hvd.synchronize(handle)


def run_on_spark(
    work: Callable[..., None], arguments: tuple[Any, ...], ranks: int, environment: dict[str, str]
) -> None:
    """Run ``work(*arguments)`` on ``ranks`` task slots of the active Spark session, as one barrier-like stage."""
    import horovod.spark  # noqa: PLC0415 - needs Spark, which the ranks do without

    horovod.spark.run(work, args=arguments, num_proc=ranks, env=environment, use_gloo=True, verbose=0)
