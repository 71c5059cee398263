"""The training loop: epochs of steps, gradients summed over ranks, early stopping, a checkpoint an epoch."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from shoprec.errors import ShoprecError
from shoprec.training.checkpoints import Checkpoints
from shoprec.training.collectives import Collectives, broadcast_facts
from shoprec.training.config import TrainingConfig
from shoprec.training.lanes import Lanes
from shoprec.training.optimisers import Optimisers
from shoprec.training.reports import Report, now_and_then


class Trainable(Protocol):
    """A model with its data, as the loop sees it."""

    tables: list[nn.Parameter]  #: embedding tables, whose gradients are sparse
    dense: list[nn.Parameter]
    device: torch.device

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """Every parameter by name."""
        ...

    def batch(self, rows: np.ndarray, step: int) -> Any:
        """All that the loss over ``rows`` of the rank's samples needs (-1: padding, weight 0) but the parameters."""
        ...

    def loss(self, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum of weight x loss, and sum of weights."""
        ...

    def validate(self, collectives: Collectives) -> float | None:
        """The figure that early stopping goes by, higher is better, equal on all ranks; None without held-out data."""
        ...


@dataclass
class History:
    """What happened so far; lists by epoch."""

    loss: list[float] = field(default_factory=list)
    validation: list[float | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  #: of this process; not comparable after a restart

    @property
    def best(self) -> int:
        """The first epoch with the best validation figure; the last epoch where there are no figures. -1: none yet."""
        last = len(self.loss) - 1
        figures = [(value, -epoch) for epoch, value in enumerate(self.validation) if value is not None]
        return -max(figures)[1] if figures else last

    def over(self, config: TrainingConfig) -> bool:
        """Whether all epochs are done, or the last ``patience`` of them brought nothing better."""
        return len(self.loss) >= config.epochs or len(self.loss) - 1 - self.best >= config.patience


def train(
    task: Trainable,
    lanes: Lanes,
    config: TrainingConfig,
    collectives: Collectives,
    checkpoints: Checkpoints,
    seed: int,
    report: Report,
) -> History:
    """Train ``task`` from its last whole checkpoint, or from the start, and leave the best epoch's weights in it.

    All that is random depends on the seed and on numbers of epochs and steps alone, so on one CPU rank a training
    that was killed and resumed ends with the bits of one that was not.

    :param report: on rank 0, told of resuming, of signs of life and of each epoch
    :raises ShoprecError: the loss is not finite
    """
    optimisers = Optimisers(task.tables, task.dense, config)
    tensors = {f"model.{name}": parameter.data for name, parameter in task.named_parameters().items()}
    tensors |= {f"optimiser.{name}": tensor for name, tensor in optimisers.state().items()}
    history = _resume(tensors, collectives, checkpoints, report, task.device)
    while not history.over(config):
        epoch, began = len(history.loss), time.monotonic()
        history.loss.append(_epoch(epoch, task, lanes, config, optimisers, collectives, seed, report))
        history.seconds.append(time.monotonic() - began)
        history.validation.append(task.validate(collectives))
        if collectives.rank == 0:
            checkpoints.write(epoch, tensors, _facts(epoch, history), history.best)
            report({"kind": "epoch", "epoch": epoch, "loss": history.loss[-1], "validation": history.validation[-1]})
        collectives.barrier()  # the checkpoint may take longer than ranks wait for each other in a step
    if history.best != len(history.loss) - 1:
        saved = checkpoints.read(history.best)[0] if collectives.rank == 0 else {}
        _fill(tensors, saved, collectives)
    return history


def _facts(epoch: int, history: History) -> dict[str, Any]:
    # Wall-clock seconds stay out: the checkpoint of an epoch is the same bytes whenever it is made.
    return {"epoch": epoch, "best": history.best, "loss": history.loss, "validation": history.validation}


def _resume(
    tensors: dict[str, torch.Tensor],
    collectives: Collectives,
    checkpoints: Checkpoints,
    report: Report,
    device: torch.device,
) -> History:
    saved, facts = None, None
    if collectives.rank == 0:
        found = checkpoints.latest(lambda text: report({"kind": "message", "text": text}))
        saved, facts = found if found else (None, None)
    facts = broadcast_facts(collectives, facts, device)
    _fill(tensors, saved, collectives)
    if not facts:
        return History()
    if collectives.rank == 0:
        report({"kind": "message", "text": f"resumed after epoch {facts['epoch'] + 1}"})
    return History(facts["loss"], facts["validation"], [0.0] * len(facts["loss"]))


def _fill(tensors: dict[str, torch.Tensor], saved: dict[str, torch.Tensor] | None, collectives: Collectives) -> None:
    """Put rank 0's values (``saved`` where given) into the tensors of every rank."""
    for name, tensor in tensors.items():
        if saved:
            tensor.copy_(saved[name])
        collectives.broadcast(tensor)


def _epoch(
    epoch: int,
    task: Trainable,
    lanes: Lanes,
    config: TrainingConfig,
    optimisers: Optimisers,
    collectives: Collectives,
    seed: int,
    report: Report,
) -> float:
    """One passage over the samples: the mean loss, weighted, of all ranks."""
    totals = torch.zeros(2, dtype=torch.float64, device=task.device)
    often, first = now_and_then(report), epoch * lanes.steps
    batches = (task.batch(rows, step) for step, rows in enumerate(lanes.batches(seed, epoch), first))
    batch = next(batches, None)
    for step in range(first, first + lanes.steps):
        loss, weight = task.loss(batch)
        loss.backward()
        exchanged = exchange(task, loss.detach(), weight, collectives)
        batch = next(batches, None)  # is made while the ranks wait for each other
        totals += exchanged()
        del exchanged  # holds all that was exchanged
        optimisers.step(step / (config.epochs * lanes.steps))
        often({"kind": "step", "epoch": epoch, "step": step - first + 1, "steps": lanes.steps})
    loss_sum, weight_sum = totals.tolist()
    mean = loss_sum / weight_sum
    if not math.isfinite(mean):
        raise ShoprecError(f"the loss of epoch {epoch + 1} is {mean}: lower learning_rate and table_rate")
    return mean


def exchange(
    task: Trainable, loss: torch.Tensor, weight: torch.Tensor, collectives: Collectives
) -> Callable[[], torch.Tensor]:
    """Begin to make the gradients of this rank's sums those of the mean over all ranks' samples, weighted.

    Dense gradients, the loss and the weight travel as one tensor; tables as rows and values.

    :returns: waits until they are so, and gives (2,) float64: sum of weight x loss and sum of weights over all ranks
    """
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in task.dense]
    sums = torch.stack([loss.float(), weight.float()])
    together = torch.cat([*(gradient.reshape(-1) for gradient in gradients), sums])
    reduced = collectives.reduce(together, *(table.grad for table in task.tables))

    def finish() -> torch.Tensor:
        flat, *rows = reduced()
        total_weight = flat[-1]
        pieces = (flat[:-2] / total_weight).split([gradient.numel() for gradient in gradients])
        for parameter, piece in zip(task.dense, pieces, strict=True):
            parameter.grad = piece.view_as(parameter)
        for table, summed in zip(task.tables, rows, strict=True):
            table.grad = torch.sparse_coo_tensor(
                summed.indices(), summed.values() / total_weight, table.shape, is_coalesced=True, check_invariants=False
            )
        return flat[-2:].double()

    return finish


def facts_of(history: History, samples: int, ranks: int) -> dict[str, Any]:
    """What is told of a training: its curves, its speed in samples a second over all ranks, its ranks."""
    timed = [seconds for seconds in history.seconds if seconds > 0]
    speed = samples * len(timed) / sum(timed) if timed else 0.0
    return {
        "epochs": list(range(1, len(history.loss) + 1)),
        "loss": history.loss,
        "val": history.validation,
        "best_epoch": history.best + 1,
        "samples": samples,
        "samples_per_second": round(speed, 1),
        "ranks": ranks,
    }


def curves(facts: dict[str, Any]) -> dict[str, Any]:
    """What of a training's facts is the same whenever it is repeated."""
    return {name: facts[name] for name in ("epochs", "loss", "val", "best_epoch", "samples")}
