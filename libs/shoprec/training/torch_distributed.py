"""torch.distributed's collectives: Gloo on CPUs, NCCL on GPUs. For places without Horovod."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from os import environ

import torch
import torch.distributed as dist

from shoprec.training.collectives import Sums, in_one, stack_sparse


class TorchCollectives:
    """Ranks joined by torch.distributed, whose launcher has put rank, size and address into the environment.

    :param timeout_s: seconds after which ranks that wait for one that stopped raise an error
    :param patience_s: the same at a barrier, where they wait for work that one rank does alone
    """

    def __init__(self, device: torch.device, timeout_s: int, patience_s: int) -> None:
        # Some of an optimiser's state stays on the CPU, and NCCL knows no tensors there.
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=timedelta(seconds=timeout_s))
        self._patient = dist.new_group(timeout=timedelta(seconds=patience_s), backend="gloo")
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.local_rank = int(environ.get("LOCAL_RANK", "0"))
        self.local_size = int(environ.get("LOCAL_WORLD_SIZE", "1"))

    def broadcast(self, tensor: torch.Tensor) -> None:
        """Overwrite ``tensor`` with that of rank 0."""
        dist.broadcast(tensor, src=0)

    def reduce(self, *tensors: torch.Tensor) -> Sums:
        """The sum of each over all ranks; the rows of a sparse tensor are gathered, padded to the longest, and added.

        Ranks wait for each other twice where one is sparse: they tell how many rows they have first.
        """
        own = [tensor.coalesce() if tensor.is_sparse else tensor.clone() for tensor in tensors]
        lengths = self._lengths([tensor for tensor in own if tensor.is_sparse])
        waiting = [_begin(tensor, lengths) for tensor in own]
        return lambda: [finish() for finish in waiting]

    def _lengths(self, own: list[torch.Tensor]) -> Iterator[list[int]]:
        """How many rows of each sparse tensor every rank has."""
        if not own:
            return iter(())
        counts = torch.zeros((len(own), self.size), dtype=torch.int64, device=own[0].device)
        counts[:, self.rank] = torch.tensor([len(tensor.values()) for tensor in own])
        dist.all_reduce(counts)
        return iter(counts.tolist())

    def barrier(self) -> None:
        """Wait until every rank is here."""
        dist.barrier(self._patient)

    def close(self) -> None:
        """Leave the group."""
        dist.destroy_process_group()


def _begin(own: torch.Tensor, lengths: Iterator[list[int]]) -> Callable[[], torch.Tensor]:
    """Start on one sum; the function that is returned waits for it. A sparse tensor takes the next ``lengths``."""
    if own.is_sparse:
        pieces, shape = _gather(in_one(own), next(lengths)), own.shape
        return lambda: stack_sparse(torch.cat(pieces()), shape)
    work = dist.all_reduce(own, async_op=True)

    def summed() -> torch.Tensor:
        work.wait()
        return own

    return summed


def _gather(rows: torch.Tensor, lengths: list[int]) -> Callable[[], list[torch.Tensor]]:
    """Start on gathering the ``lengths`` rows of all ranks; the function that is returned waits for them."""
    padded = rows.new_zeros((max(lengths), *rows.shape[1:]))
    padded[: len(rows)] = rows
    everyone = [torch.empty_like(padded) for _ in lengths]
    work = dist.all_gather(everyone, padded, async_op=True)

    def gathered() -> list[torch.Tensor]:
        work.wait()
        return [piece[:length] for piece, length in zip(everyone, lengths, strict=True)]

    return gathered
