"""Row-wise Adagrad and the pair of optimisers against references written out."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from shoprec.training.config import TrainingConfig
from shoprec.training.optimisers import Optimisers, RowwiseAdagrad


def sparse(rows, values, shape):
    return torch.sparse_coo_tensor(np.array([rows]), torch.tensor(values), shape, check_invariants=True)


def test_rowwise_adagrad_equals_a_dense_reference():
    rng = np.random.default_rng(0)
    start = rng.standard_normal((5, 3)).astype(np.float32)
    table = nn.Parameter(torch.tensor(start))
    optimiser = RowwiseAdagrad([table])
    expected, total = start.astype(np.float64), np.zeros(5)
    for _ in range(4):
        rows = rng.integers(0, 4, 6)  # repeats, and row 4 never
        values = rng.standard_normal((6, 3)).astype(np.float32)
        table.grad = sparse(rows, values, (5, 3))
        optimiser.step(0.3)
        dense = np.zeros((5, 3))
        np.add.at(dense, rows, values)
        total += (dense**2).mean(axis=1)
        touched = np.unique(rows)
        expected[touched] -= 0.3 * dense[touched] / (np.sqrt(total[touched]) + 1e-8)[:, None]
    assert np.allclose(table.detach().numpy(), expected, atol=1e-5)
    assert np.array_equal(table.detach().numpy()[4], start[4])
    assert optimiser.state[0]["sum"].shape == (5,)


def test_rowwise_adagrad_refuses_dense_gradients():
    table = nn.Parameter(torch.zeros(2, 2))
    table.grad = torch.ones(2, 2)
    with pytest.raises(ValueError, match="sparse"):
        RowwiseAdagrad([table]).step(0.1)


def test_dense_parameters_take_the_steps_of_adamw_at_the_falling_rate():
    config = TrainingConfig(learning_rate=0.1, weight_decay=0.01)
    ours, theirs = (nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2))
    table = nn.Parameter(torch.zeros(1, 1))
    optimisers = Optimisers([table], [ours], config)
    reference = torch.optim.AdamW([theirs], weight_decay=0.01)
    for step, gradient in enumerate(([0.5, 1.0], [-1.0, 0.2], [0.1, 0.1])):
        ours.grad, theirs.grad = torch.tensor(gradient), torch.tensor(gradient)
        table.grad = sparse([0], [[1.0]], (1, 1))
        reference.param_groups[0]["lr"] = 0.1 * (1 - 0.9 * step / 3)
        reference.step()
        optimisers.step(step / 3)
    assert torch.allclose(ours, theirs)
    assert ours.grad is None


def test_the_state_holds_all_that_a_next_step_depends_on():
    config = TrainingConfig()
    runs = []
    for resumed in (False, True):
        table, dense = nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(2))
        optimisers = Optimisers([table], [dense], config)
        for step in range(4):
            if resumed and step == 2:
                saved = {name: tensor.clone() for name, tensor in optimisers.state().items()}
                optimisers = Optimisers([table], [dense], config)
                for name, tensor in optimisers.state().items():
                    tensor.copy_(saved[name])
            table.grad, dense.grad = sparse([step % 3], [[1.0, 2.0]], (3, 2)), torch.tensor([1.0, -step])
            optimisers.step(0)
        runs.append(torch.cat([table.detach().reshape(-1), dense.detach()]))
    assert torch.equal(*runs)


def test_a_parameter_without_a_gradient_stays_as_it_is():
    moved, still = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimisers = Optimisers([], [still, moved], TrainingConfig())
    moved.grad = torch.ones(2)
    optimisers.step(0)
    assert torch.equal(still.detach(), torch.ones(2))
    assert not torch.equal(moved.detach(), torch.ones(2))
    assert optimisers.state()["adamw.0.step"] == 0


def test_the_steps_of_a_rank_do_not_load_the_compiler_of_torch():
    """Asked of a process of its own: this one may have loaded it for other tests."""
    code = """
import sys, torch
from shoprec.training.config import TrainingConfig
from shoprec.training.optimisers import Optimisers
one = torch.nn.Parameter(torch.ones(2))
one.grad = torch.ones(2)
Optimisers([], [one], TrainingConfig()).step(0)
print(one.tolist() != [1, 1], "torch._dynamo" in sys.modules)
"""
    stepped = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert stepped.stdout.split() == ["True", "False"]
