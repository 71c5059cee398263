"""What the loop knows of the other ranks: a small interface, and its implementation for one rank alone."""

import json
from collections.abc import Callable
from typing import Any, Protocol

import torch

#: Waits until sums are there.
Sums = Callable[[], list[torch.Tensor]]


class Collectives(Protocol):
    """How ranks work together. Every rank makes the same calls in the same order, with tensors of the same kind."""

    rank: int  #: 0 … size - 1
    size: int
    local_rank: int  #: number of this rank on its machine
    local_size: int  #: ranks on this machine

    def broadcast(self, tensor: torch.Tensor) -> None:
        """Overwrite a dense tensor with that of rank 0."""
        ...

    def reduce(self, *tensors: torch.Tensor) -> Sums:
        """Begin on the sum of each over all ranks; what is returned waits for them, and gives them.

        They are equal in every bit on each rank; sparse (COO) for a sparse tensor, then coalesced. Ranks wait for each
        other as often as for one tensor, however many there are. Until the sums are there, the tensors stay as they
        are, and nothing else of these begins.
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

    def reduce(self, *tensors: torch.Tensor) -> Sums:
        """The tensors themselves."""
        sums = [tensor.coalesce() if tensor.is_sparse else tensor for tensor in tensors]
        return lambda: sums

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


def in_one(sparse: torch.Tensor) -> torch.Tensor:
    """Numbers and values of the rows of a coalesced sparse tensor, so that they travel together: see ``stack_sparse``.

    A number's eight bytes stand in front of its row's values as numbers of their type, which mean nothing.
    """
    numbers, values = sparse.indices()[0], sparse.values()
    as_values = numbers.view(values.dtype).view(len(numbers), numbers.element_size() // values.element_size())
    return torch.cat([as_values, values], dim=1)


def stack_sparse(pieces: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """The sum of the ranks' sparse tensors of this shape, from what ``in_one`` made of each, one below the other in
    order of rank."""
    # Both in pieces of their own: of one row a slice counts as such, and could not be seen as other numbers.
    numbers, values = (part.reshape(-1) for part in pieces.tensor_split([-shape[1]], dim=1))
    indices, values = numbers.view(torch.int64).view(1, -1), values.view(len(pieces), shape[1])
    return torch.sparse_coo_tensor(indices, values, shape, check_invariants=False).coalesce()
