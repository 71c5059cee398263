"""The two towers.

Shapes: B samples or users, I items, D width of the embeddings, W columns of words, N numeric columns, R recent items,
T width of text vectors.
"""

from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F

from shoprec.models.two_tower.config import TwoTowerConfig


@dataclass(frozen=True)
class Shape:
    """The sizes of what the towers read, each at least 1; with the settings, all that decides the parameters."""

    items: int
    item_word_rows: int  #: rows of the item table for words, over all columns
    item_numeric: int
    text_width: int
    user_word_rows: int
    user_numeric: int

    @property
    def item_rows(self) -> int:
        """Rows of the item table: an id each, then words."""
        return self.items + self.item_word_rows


@dataclass(frozen=True)
class UserBatch:
    """What the user tower reads."""

    numeric_BN: torch.Tensor
    words_BW: torch.Tensor  #: rows of the user table
    recent_BR: torch.Tensor  #: item ids, the latest first; 0 where the weight is 0
    recent_weight_BR: torch.Tensor

    def take(self, places: torch.Tensor) -> "UserBatch":
        """The users at ``places``."""
        return UserBatch(
            self.numeric_BN[places], self.words_BW[places], self.recent_BR[places], self.recent_weight_BR[places]
        )

    def forget(self, user_B: torch.Tensor, kept: float, draw: int) -> "UserBatch":
        """The users with each recent item kept by the chance ``kept``, drawn by user, item and the number ``draw``.

        Were all recent items told but a sample's own, that one could be told from what is missing. A draw does not
        depend on which users come together, so it is the same however samples are dealt to ranks.
        """
        drawn_B = user_B.long() * _MIX[0] + torch.full_like(user_B, draw, dtype=torch.int64) * _MIX[1]
        mixed_BR = drawn_B[:, None] + self.recent_BR.long() * _MIX[2]
        for shift, factor in ((30, _MIX[3]), (27, _MIX[4])):
            mixed_BR = (mixed_BR ^ (mixed_BR >> shift)) * factor
        chance_BR = ((mixed_BR >> 40) & 0xFFFF).float() / 0x10000
        return replace(self, recent_weight_BR=torch.where(chance_BR < kept, self.recent_weight_BR, 0.0))


#: Odd numbers whose products spread over all 64 bits (after Steele et al., 2014, SplitMix64).
_MIX = (-7046029254386353131, 7640891576956012809, 2685821657736338717, -4658895280553007687, -7723592293110705685)


class ItemTower(nn.Module):
    """Id, words, numbers and text of an item, each taken to width D, and added up."""

    def __init__(self, shape: Shape, config: TwoTowerConfig) -> None:
        super().__init__()
        self.table = nn.Embedding(shape.item_rows, config.width, sparse=True)
        self.numeric = nn.Linear(shape.item_numeric, config.width)
        self.text = nn.Linear(shape.text_width, config.width, bias=False)
        nn.init.normal_(self.table.weight, std=TABLE_DEVIATION)

    def forward(self, rows_IW: torch.Tensor, numeric_IN: torch.Tensor, text_IT: torch.Tensor) -> torch.Tensor:
        """Embeddings of unit length, (I, D).

        :param rows_IW: rows of the table: the item's id, then its words
        """
        known_ID = F.embedding_bag(rows_IW, self.table.weight, mode="sum", sparse=True)
        return F.normalize(known_ID + self.numeric(numeric_IN) + self.text(text_IT), dim=1)


class UserTower(nn.Module):
    """What a user bought lately, what is known of them, and words, through one hidden layer beside a straight way."""

    def __init__(self, shape: Shape, config: TwoTowerConfig) -> None:
        super().__init__()
        self.table = nn.Embedding(shape.user_word_rows, config.width, sparse=True)
        self.straight = nn.Linear(config.width, config.width, bias=False)
        self.hidden = nn.Linear(2 * config.width + shape.user_numeric + 1, config.hidden)
        self.out = nn.Linear(config.hidden, config.width)
        nn.init.normal_(self.table.weight, std=TABLE_DEVIATION)
        nn.init.eye_(self.straight.weight)

    def forward(self, user: UserBatch, recent_BD: torch.Tensor, weight_B1: torch.Tensor) -> torch.Tensor:
        """Embeddings of unit length, (B, D).

        :param recent_BD: mean of the recent items' embeddings; ``weight_B1``: the sum of their weights
        """
        words_BD = F.embedding_bag(user.words_BW, self.table.weight, mode="sum", sparse=True)
        inputs = torch.cat([recent_BD, words_BD, user.numeric_BN, torch.log1p(weight_B1)], dim=1)
        return F.normalize(self.out(F.relu(self.hidden(inputs))) + self.straight(recent_BD), dim=1)


#: Standard deviation of untrained rows: an item never chosen is told by its features, not by noise.
TABLE_DEVIATION = 0.02

#: Least sum of weights that a mean is taken over.
LEAST_WEIGHT = 0.05


class TwoTower(nn.Module):
    """Both towers. The user tower reads recent items by the rows of their ids in the item table."""

    def __init__(self, shape: Shape, config: TwoTowerConfig) -> None:
        super().__init__()
        self.items = ItemTower(shape, config)
        self.users = UserTower(shape, config)

    def embed_users(self, user: UserBatch) -> torch.Tensor:
        """Embeddings of users as they are known, (B, D)."""
        sum_BD, weight_B1 = self.recent_sums(user.recent_BR, user.recent_weight_BR)
        return self.users(user, sum_BD / weight_B1.clamp(min=LEAST_WEIGHT), weight_B1)

    def embed_users_without(self, user: UserBatch, inverse_B: torch.Tensor, own_B: torch.Tensor) -> torch.Tensor:
        """Embeddings of the samples' users, each without the sample's own item among the recent ones, (B, D).

        A user who is told that they chose the item need not be understood to predict it.

        :param user: the batch's users, each once; ``inverse_B``: the place among them of each sample's
        """
        sum_UD, weight_U1 = self.recent_sums(user.recent_BR, user.recent_weight_BR)
        each = user.take(inverse_B)
        own_B1 = (each.recent_weight_BR * (each.recent_BR == own_B[:, None])).sum(dim=1, keepdim=True)
        own_BD = F.embedding(own_B, self.items.table.weight.detach())
        sum_BD = sum_UD[inverse_B] - own_B1 * own_BD
        weight_B1 = (weight_U1[inverse_B] - own_B1).clamp(min=0)
        return self.users(each, sum_BD / weight_B1.clamp(min=LEAST_WEIGHT), weight_B1)

    def recent_sums(self, recent_BR: torch.Tensor, weight_BR: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Weighted sums of the id embeddings of recent items, (B, D), and of the weights, (B, 1).

        No gradient flows into the table from here: items learn from being chosen, and a step would otherwise touch
        the recent items of all its users, many times the rows.
        """
        table = self.items.table.weight.detach()
        if not recent_BR.shape[1]:
            return table.new_zeros(len(recent_BR), table.shape[1]), table.new_zeros(len(recent_BR), 1)
        sums = F.embedding_bag(recent_BR, table, mode="sum", per_sample_weights=weight_BR)
        return sums, weight_BR.sum(dim=1, keepdim=True)
