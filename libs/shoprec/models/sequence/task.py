"""The reader and one rank's histories, as the training loop sees them.

Shapes: S histories of the rank, B of a step, L places, P places with an item that another follows, I items, K draws.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from shoprec.models.sequence.config import SequenceConfig
from shoprec.models.sequence.model import NOTHING, Histories, ItemTable, Reader
from shoprec.training.collectives import Collectives
from shoprec.training.lanes import bounds
from shoprec.training.negatives import Sampler
from shoprec.training.precision import precision
from shoprec.training.softmax import full_softmax, sampled_softmax

#: Places of histories that are read at a time where nothing is learnt, and items that they are scored against.
PLACES_AT_A_TIME, ITEMS_AT_A_TIME = 1 << 16, 1 << 14
#: Histories of up to so many items are read together; so are those of up to twice as many, and so on.
SHORT = 8


class Sequence(nn.Module):
    """Both parts: what reads, and the table that it reads from and answers in."""

    def __init__(self, items: int, text_width: int, config: SequenceConfig) -> None:
        super().__init__()
        self.sampled = items > config.full_softmax_items
        self.items = ItemTable(items, text_width, config, sparse=self.sampled)
        self.reader = Reader(config)


@dataclass(frozen=True)
class Texts:
    """The text vectors of items, each once."""

    place_I: torch.Tensor  #: row of texts_XT; int64
    texts_XT: torch.Tensor  #: the last row is zeros, for items without text

    def of(self, item: torch.Tensor) -> torch.Tensor:
        """Those of some items, (…, T)."""
        return self.texts_XT[self.place_I[item]]


@dataclass(frozen=True)
class Data:
    """What a rank holds.

    :ivar histories: of its users, with what follows the last place, so one place longer than what is read
    :ivar held_out: on every rank; None where nothing is
    """

    histories: Histories
    texts: Texts
    log_q_I: np.ndarray
    held_out: "HeldOut | None" = None


@dataclass(frozen=True)
class HeldOut:
    """Histories whose next item is known, and was not learnt from."""

    histories: Histories
    next_B: torch.Tensor


@dataclass(frozen=True)
class Part:
    """Histories of about one length, and what follows each place."""

    histories: Histories
    next_BL: torch.Tensor  #: ``NOTHING`` where nothing is to be foretold


@dataclass(frozen=True)
class Batch:
    """A step's histories, by their length, and the step's negatives (empty: none are drawn)."""

    parts: list[Part]
    negative_K: torch.Tensor
    step: int


class SequenceTask:
    """What the loop trains: see shoprec.training.loop.Trainable."""

    def __init__(self, model: Sequence, data: Data, config: SequenceConfig, seed: int, rank: int = 0) -> None:
        """
        :param rank: its number; it leaves out other activations than others
        """
        self.model, self.device, self._data = model, data.histories.item_BL.device, data
        self._config, self._seed, self._rank = config, seed, rank
        self._sampler = Sampler(data.log_q_I, seed)
        self._log_q = torch.from_numpy(self._sampler.log_q).to(self.device)
        self.tables: list[nn.Parameter] = [model.items.table.weight] if model.sampled else []
        own = {id(table) for table in self.tables}
        self.dense = [parameter for parameter in model.parameters() if id(parameter) not in own]

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """Every parameter by name."""
        return dict(self.model.named_parameters())

    def batch(self, rows: np.ndarray, step: int) -> Batch:
        """The histories in ``rows``; -1 is padding, which foretells nothing."""
        row_B = torch.from_numpy(rows).to(self.device)
        every, mine_B = self._data.histories, row_B.clamp(min=0)
        item_BL = torch.where(row_B[:, None] >= 0, every.item_BL[mine_B].long(), NOTHING)
        days_BL, length_B = every.days_BL[mine_B], (item_BL != NOTHING).sum(dim=1)
        # Beside the longest, which few are, the others would be read as nothing for the most part.
        edges = torch.tensor([SHORT << n for n in range(item_BL.shape[1].bit_length())], device=self.device)
        part_B = torch.bucketize(length_B, edges)
        owned = (part_B == part for part in part_B.unique())
        parts = [self._part(item_BL[own], days_BL[own], int(length_B[own].max().clamp(min=2))) for own in owned]
        count = self._config.negatives if self.model.sampled else 0
        negative_K = torch.from_numpy(self._sampler.draw(count, step)).to(self.device)
        return Batch(parts, negative_K, step)

    def _part(self, item_BL: torch.Tensor, days_BL: torch.Tensor, longest: int) -> Part:
        item_BL, days_BL = item_BL[:, -longest:], days_BL[:, -longest:]
        follows_BL = item_BL[:, :-1] != NOTHING
        if not self._config.same_moment:
            follows_BL &= days_BL[:, 1:] > 0
        return Part(Histories(item_BL[:, :-1], days_BL[:, :-1]), torch.where(follows_BL, item_BL[:, 1:], NOTHING))

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum of the softmax's loss over all places that another item follows, and how many they are."""
        self.model.train()
        devices = [self.device] if self.device.type == "cuda" else []
        # What is left out depends on seed, step and rank alone: a training that was resumed leaves out the same, and on
        # n ranks another one than on one. (cuDNN's recurrences of several layers draw on their own.)
        with torch.random.fork_rng(devices), precision(self._config, self.device):
            torch.manual_seed(int(np.random.SeedSequence([self._seed, batch.step, self._rank]).generate_state(1)[0]))
            there = [part.next_BL != NOTHING for part in batch.parts]
            both = list(zip(batch.parts, there, strict=True))
            next_P = torch.cat([part.next_BL[there_BL] for part, there_BL in both])
            read_PD = torch.cat([self.read(part.histories)[there_BL] for part, there_BL in both])
            if self.tables:
                total = self._sampled(read_PD, next_P, batch.negative_K)
            else:
                total = full_softmax(read_PD, self.items(0, len(self._data.texts.place_I)), next_P)
        return total, torch.tensor(len(next_P), device=self.device)

    def read(self, histories: Histories) -> torch.Tensor:
        """(B, L, D)"""
        item_BL = histories.item_BL.clamp(min=0)
        return self.model.reader(self.model.items(item_BL, self._data.texts.of(item_BL)), histories)

    def items(self, first: int, last: int) -> torch.Tensor:
        """The vectors of the items of [first, last)."""
        ids = torch.arange(first, last, device=self.device)
        return self.model.items(ids, self._data.texts.of(ids))

    def _sampled(self, read_PD: torch.Tensor, next_P: torch.Tensor, negative_K: torch.Tensor) -> torch.Tensor:
        told = torch.cat([next_P, negative_K])
        positive_PD, negative_KD = self.model.items(told, self._data.texts.of(told)).split(
            [len(next_P), len(negative_K)]
        )
        return sampled_softmax(read_PD, positive_PD, negative_KD, next_P, negative_K, self._log_q[negative_K]).sum()

    @torch.no_grad()
    def validate(self, collectives: Collectives) -> float | None:
        """Share of the held-out next items that are among the k best, beside items which the history does not hold.

        Each rank looks at its share of the users.
        """
        if self._data.held_out is None:
            return None
        self.model.eval()
        held, users = self._data.held_out, len(self._data.held_out.next_B)
        first, last = bounds(users, collectives.rank, collectives.size)
        hits = torch.zeros(1, dtype=torch.float64, device=self.device)
        for mine in torch.arange(first, last, device=self.device).split(at_a_time(self._config)):
            hits += self._hits(Histories(held.histories.item_BL[mine], held.histories.days_BL[mine]), held.next_B[mine])
        (hits,) = collectives.reduce(hits)()
        return float(hits / users)

    def _hits(self, histories: Histories, next_B: torch.Tensor) -> torch.Tensor:
        with precision(self._config, self.device):
            read_BD = self.read(histories)[:, -1].float()
            next_BD = self.model.items(next_B, self._data.texts.of(next_B)).float()
        own_B1, beaten_B = (read_BD * next_BD).sum(dim=1, keepdim=True), torch.zeros_like(next_B)
        # Before the first item stands none, which would hide the item of number 0.
        seen_BL = torch.where(histories.item_BL == NOTHING, histories.item_BL[:, -1:], histories.item_BL)
        for low in range(0, len(self._data.texts.place_I), ITEMS_AT_A_TIME):
            high = min(low + ITEMS_AT_A_TIME, len(self._data.texts.place_I))
            with precision(self._config, self.device):
                block_JD = self.items(low, high)
            score_BJ = read_BD @ block_JD.float().T
            # Neither what the history holds beats the next item, nor itself, whatever its last bit.
            for hidden_BL in (seen_BL, next_B[:, None]):
                row, place = ((hidden_BL >= low) & (hidden_BL < high)).nonzero(as_tuple=True)
                score_BJ[row, hidden_BL[row, place] - low] = -torch.inf
            # What is no number beats it, too: a model that came to nothing shall not be the best.
            beaten_B += (~(score_BJ < own_B1) & (score_BJ != -torch.inf)).sum(dim=1)
        return (beaten_B < self._config.validation_k).sum()


def at_a_time(config: SequenceConfig) -> int:
    """Histories that are read at a time where nothing is learnt."""
    return max(1, PLACES_AT_A_TIME // config.length)
