"""The towers and one rank's data, as the training loop sees them.

Shapes: B samples of a rank's step, K negatives, I items, D width of the embeddings.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.models.two_tower.model import TwoTower, UserBatch
from shoprec.models.two_tower.tensors import Items, Users
from shoprec.models.two_tower.validation import HeldOut, recall
from shoprec.training.collectives import Collectives
from shoprec.training.negatives import Sampler
from shoprec.training.precision import precision
from shoprec.training.softmax import sampled_softmax


@dataclass(frozen=True)
class Samples:
    """The samples of one rank."""

    user_S: torch.Tensor  #: place among the rank's users, int64
    item_S: torch.Tensor  #: item_idx, int64
    weight_S: torch.Tensor


@dataclass(frozen=True)
class Batch:
    """What a step's loss is made of; the users each once."""

    user: UserBatch
    inverse_B: torch.Tensor  #: the place among them of each sample's
    item_B: torch.Tensor
    weight_B: torch.Tensor
    negative_K: torch.Tensor
    told: tuple[torch.Tensor, torch.Tensor, torch.Tensor]  #: of items, then negatives: what their tower reads


class TwoTowerTask:
    """What the loop trains: see shoprec.training.loop.Trainable."""

    def __init__(
        self,
        model: TwoTower,
        samples: Samples,
        users: Users,
        items: Items,
        held_out: HeldOut | None,
        config: TwoTowerConfig,
        seed: int,
    ) -> None:
        self.model, self.device = model, samples.weight_S.device
        self._samples, self._users, self.items, self._held_out = samples, users, items, held_out
        self._config, self._sampler = config, Sampler(items.log_q_I, seed)
        self._log_q = torch.from_numpy(self._sampler.log_q).to(self.device)
        self.tables: list[nn.Parameter] = [model.items.table.weight, model.users.table.weight]
        own = {id(table) for table in self.tables}
        self.dense = [parameter for parameter in model.parameters() if id(parameter) not in own]

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """Every parameter by name."""
        return dict(self.model.named_parameters())

    def batch(self, rows: np.ndarray, step: int) -> Batch:
        """What the towers read of the samples in ``rows``, and of the step's negatives; -1 is padding, of weight 0."""
        row_B = torch.from_numpy(rows).to(self.device)
        weight_B = torch.where(row_B >= 0, self._samples.weight_S[row_B.clamp(min=0)], 0.0)
        user_B, item_B = (ids[row_B.clamp(min=0)] for ids in (self._samples.user_S, self._samples.item_S))
        negative_K = torch.from_numpy(self._sampler.draw(self._config.negatives, step)).to(self.device)
        unique_U, inverse_B = torch.unique(user_B, return_inverse=True)
        user = self._users.known.take(unique_U)
        user = user.forget(self._users.ids_U[unique_U], self._config.recent_kept, step)
        told = self.items.of(torch.cat([item_B, negative_K]))
        return Batch(user, inverse_B, item_B, weight_B, negative_K, told)

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum of weight x sampled softmax over the samples, and the sum of weights."""
        with precision(self._config, self.device):
            item_D = self.model.items(*batch.told)
            user_BD = self.model.embed_users_without(batch.user, batch.inverse_B, batch.item_B)
            positive_BD, negative_KD = item_D.split([len(batch.item_B), len(batch.negative_K)])
            loss_B = sampled_softmax(
                user_BD / self._config.temperature,
                positive_BD,
                negative_KD,
                batch.item_B,
                batch.negative_K,
                self._log_q[batch.negative_K],
            )
        return (loss_B * batch.weight_B).sum(), batch.weight_B.sum()

    @torch.no_grad()
    def validate(self, collectives: Collectives) -> float | None:
        """Recall of held-out pairs; see :func:`recall`."""
        if self._held_out is None:
            return None
        with precision(self._config, self.device):
            return recall(self.model, self._held_out, self.items, self._config.validation_k, collectives)
