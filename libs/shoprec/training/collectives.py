"""What the loop knows of the other ranks: a small interface, and its implementation for one rank alone."""

import json
from typing import Any, Protocol

import torch


class Collectives(Protocol):
    """How ranks work together. Every rank makes the same calls in the same order, with tensors of the same kind."""

    rank: int  #: 0 … size - 1
    size: int
    local_rank: int  #: number of this rank on its machine
    local_size: int  #: ranks on this machine

    def broadcast(self, tensor: torch.Tensor) -> None:
        """Overwrite a dense tensor with that of rank 0."""
        ...

    def reduce(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        """The sum of each over all ranks, equal in every bit on each; sparse (COO) for a sparse tensor, then coalesced.

        Ranks wait for each other as often as for one tensor, however many there are.
        """
        ...

    def barrier(self) -> None:
        """Wait until every rank is here."""
        ...

    def close(self) -> None:
        """Leave the group."""
        ...


class Alone:
    """One rank: nothing to exchange."""

    rank, size, local_rank, local_size = 0, 1, 0, 1

    def broadcast(self, tensor: torch.Tensor) -> None:
        """Nothing: the tensor is rank 0's."""

    def reduce(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        """The tensors themselves."""
        return [tensor.coalesce() if tensor.is_sparse else tensor for tensor in tensors]

    def barrier(self) -> None:
        """Nothing: all are here."""

    def close(self) -> None:
        """Nothing to leave."""


def broadcast_facts(collectives: Collectives, facts: Any, device: torch.device) -> Any:
    """JSON-able ``facts`` of rank 0, on every rank."""
    content = bytearray(json.dumps(facts).encode())
    length = torch.tensor([len(content)], device=device)
    collectives.broadcast(length)
    text = torch.zeros(int(length), dtype=torch.uint8, device=device)
    if collectives.rank == 0:
        text.copy_(torch.frombuffer(content, dtype=torch.uint8))
    collectives.broadcast(text)
    return json.loads(bytes(text.cpu().tolist()))


def stack_sparse(pieces: list[tuple[torch.Tensor, torch.Tensor]], like: torch.Tensor) -> torch.Tensor:
    """The sum of the ranks' sparse tensors, from the (indices, values) of each in order of rank."""
    indices = torch.cat([indices for indices, _ in pieces], dim=1)
    values = torch.cat([values for _, values in pieces])
    return torch.sparse_coo_tensor(indices, values, like.shape, check_invariants=False).coalesce()
