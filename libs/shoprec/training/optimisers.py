"""The two optimisers of a model: row-wise Adagrad for embedding tables, AdamW for all else."""

from collections.abc import Iterable

import torch
from torch import nn

from shoprec.training.config import TrainingConfig


class RowwiseAdagrad(torch.optim.Optimizer):
    """Adagrad with one accumulator a row, for sparse gradients of embedding tables.

    The accumulator of a row takes the mean of the squares of the row's gradient, so the state of a table of R rows is
    R floats instead of R x width (Mudigere et al., 2022, section 4.1.1). Rows without a gradient stay as they are.
    """

    def __init__(self, tables: Iterable[nn.Parameter], lr: float, eps: float = 1e-8) -> None:
        super().__init__(tables, {"lr": lr, "eps": eps})
        for group in self.param_groups:
            for table in group["params"]:
                self.state[table]["sum"] = torch.zeros(table.shape[0], device=table.device)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Take one step. Raises ValueError on a gradient that is not sparse."""
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is None:
                    continue
                if not table.grad.is_sparse:
                    raise ValueError("row-wise Adagrad takes sparse gradients")
                gradient = table.grad.coalesce()
                rows, values = gradient.indices()[0], gradient.values()
                total = self.state[table]["sum"]
                total.index_add_(0, rows, values.square().mean(dim=1))
                scale = -group["lr"] / (total[rows].sqrt() + group["eps"])
                table.index_add_(0, rows, values * scale[:, None])


class Optimisers:
    """Both optimisers as one, with their state as named tensors and a rate that falls linearly to a tenth."""

    def __init__(self, tables: list[nn.Parameter], dense: list[nn.Parameter], config: TrainingConfig) -> None:
        self._tables = RowwiseAdagrad(tables, config.table_rate)
        self._dense = torch.optim.AdamW(dense, config.learning_rate, weight_decay=config.weight_decay)
        for parameter in dense:
            self._dense.state[parameter] = {
                "step": torch.tensor(0.0),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        self._rates = ((self._tables, config.table_rate), (self._dense, config.learning_rate))

    def step(self, done: float) -> None:
        """Take one step; ``done`` is the share of all steps that came before, in [0, 1)."""
        for optimiser, rate in self._rates:
            for group in optimiser.param_groups:
                group["lr"] = rate * (1 - 0.9 * done)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state(self) -> dict[str, torch.Tensor]:
        """Every tensor of the state, by name: the tensors themselves, so that they can be filled in place."""
        return {
            f"{kind}.{number}.{name}": value
            for kind, optimiser in (("adagrad", self._tables), ("adamw", self._dense))
            for number, parameter in enumerate(optimiser.param_groups[0]["params"])
            for name, value in optimiser.state[parameter].items()
        }
