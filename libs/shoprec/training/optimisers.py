"""The two optimisers of a model: row-wise Adagrad for embedding tables, AdamW for all else.

Neither is a ``torch.optim.Optimizer``: the first use of that class loads torch's compiler, which is not used here and
costs every rank 3 CPU-seconds.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.optim.adamw import adamw

from shoprec.training.config import TrainingConfig


class RowwiseAdagrad:
    """Adagrad with one accumulator a row, for sparse gradients of embedding tables.

    The accumulator of a row takes the mean of the squares of the row's gradient, so the state of a table of R rows is
    R floats instead of R x width (Mudigere et al., 2022, section 4.1.1). Rows without a gradient stay as they are.
    """

    def __init__(self, tables: Iterable[nn.Parameter], eps: float = 1e-8) -> None:
        self.parameters = tuple(tables)
        self.state = [{"sum": torch.zeros(table.shape[0], device=table.device)} for table in self.parameters]
        self._eps = eps

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Take one step at the learning rate ``rate``. Raises ValueError on a gradient that is not sparse."""
        for table, state in zip(self.parameters, self.state, strict=True):
            if table.grad is None:
                continue
            if not table.grad.is_sparse:
                raise ValueError("row-wise Adagrad takes sparse gradients")
            gradient = table.grad.coalesce()
            rows, values = gradient.indices()[0], gradient.values()
            total = state["sum"]
            total.index_add_(0, rows, values.square().mean(dim=1))
            scale = -rate / (total[rows].sqrt() + self._eps)
            table.index_add_(0, rows, values * scale[:, None])


class AdamW:
    """AdamW (Loshchilov and Hutter, 2019) by torch's own function, with the usual coefficients."""

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float) -> None:
        self.parameters = tuple(parameters)
        self.state = [
            {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(one), "exp_avg_sq": torch.zeros_like(one)}
            for one in self.parameters
        ]
        self._weight_decay = weight_decay

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Take one step at the learning rate ``rate``; parameters without a gradient stay as they are."""
        stepped = [number for number, one in enumerate(self.parameters) if one.grad is not None]

        def of(name: str) -> list[torch.Tensor]:
            return [self.state[number][name] for number in stepped]

        adamw(
            [self.parameters[number] for number in stepped],
            [self.parameters[number].grad for number in stepped],
            of("exp_avg"),
            of("exp_avg_sq"),
            [],
            of("step"),
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=self._weight_decay,
            eps=1e-8,
            maximize=False,
        )


class Optimisers:
    """Both optimisers as one, with their state as named tensors and a rate that falls linearly to a tenth."""

    def __init__(self, tables: Sequence[nn.Parameter], dense: Sequence[nn.Parameter], config: TrainingConfig) -> None:
        self._both = {
            "adagrad": (RowwiseAdagrad(tables), config.table_rate),
            "adamw": (AdamW(dense, config.weight_decay), config.learning_rate),
        }

    def step(self, done: float) -> None:
        """Take one step; ``done`` is the share of all steps that came before, in [0, 1)."""
        for optimiser, rate in self._both.values():
            optimiser.step(rate * (1 - 0.9 * done))
            for parameter in optimiser.parameters:
                parameter.grad = None

    def state(self) -> dict[str, torch.Tensor]:
        """Every tensor of the state, by name: the tensors themselves, so that they can be filled in place."""
        return {
            f"{kind}.{number}.{name}": value
            for kind, (optimiser, _) in self._both.items()
            for number, state in enumerate(optimiser.state)
            for name, value in state.items()
        }
