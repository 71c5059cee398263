"""Rows of tables on their way between ranks."""

import pytest
import torch

from shoprec.training.collectives import in_one, stack_sparse


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("width", [1, 2, 3, 65])
@pytest.mark.parametrize("numbers", [[], [[3]], [[3], []], [[0, 3, 2**40], [3, 7], []]])
def test_rows_of_all_ranks_add_up(kind, width, numbers):
    shape = torch.Size((2**40 + 1, width))
    pieces, expected = [], {}
    for rank, rows in enumerate(numbers):
        values = torch.arange(len(rows) * width, dtype=kind).view(-1, width) + rank + 1
        own = torch.sparse_coo_tensor(torch.tensor([rows], dtype=torch.int64), values, shape, check_invariants=True)
        pieces.append(in_one(own.coalesce()))
        for row, value in zip(rows, values.tolist(), strict=True):
            expected[row] = [a + b for a, b in zip(expected.get(row, [0.0] * width), value, strict=True)]
    together = torch.cat(pieces) if pieces else torch.empty((0, width + 8 // kind.itemsize), dtype=kind)
    sums = stack_sparse(together, shape)
    assert sums.is_coalesced()
    assert dict(zip(sums.indices()[0].tolist(), sums.values().tolist(), strict=True)) == expected
