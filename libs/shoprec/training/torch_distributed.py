"""torch.distributed's collectives: Gloo on CPUs, NCCL on GPUs. For places without Horovod."""

from datetime import timedelta
from os import environ

import torch
import torch.distributed as dist

from shoprec.training.collectives import stack_sparse


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

    def reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all ranks; the rows of a sparse tensor are gathered, padded to the longest, and added up."""
        if not tensor.is_sparse:
            total = tensor.clone()
            dist.all_reduce(total)
            return total
        own = tensor.coalesce()
        counts = torch.zeros(self.size, dtype=torch.int64, device=own.device)
        counts[self.rank] = own.values().shape[0]
        dist.all_reduce(counts)
        lengths = counts.tolist()
        indices = self._gather(own.indices().t().contiguous(), lengths)
        values = self._gather(own.values(), lengths)
        return stack_sparse([(index.t(), value) for index, value in zip(indices, values, strict=True)], tensor)

    def _gather(self, rows: torch.Tensor, lengths: list[int]) -> list[torch.Tensor]:
        padded = rows.new_zeros((max(lengths), *rows.shape[1:]))
        padded[: len(rows)] = rows
        everyone = [torch.empty_like(padded) for _ in lengths]
        dist.all_gather(everyone, padded)
        return [piece[:length] for piece, length in zip(everyone, lengths, strict=True)]

    def barrier(self) -> None:
        """Wait until every rank is here."""
        dist.barrier(self._patient)

    def close(self) -> None:
        """Leave the group."""
        dist.destroy_process_group()
