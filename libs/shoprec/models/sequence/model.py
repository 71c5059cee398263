"""A reader of histories and a table of items, which share one space: a user is what was read, up to the last item.

With attention: SASRec (Kang and McAuley 2018, https://doi.org/10.1109/ICDM.2018.00035), normalised before each step
(Xiong et al. 2020), with a softmax over items (Klenitskiy and Vasilev 2023, https://doi.org/10.1145/3604915.3610644);
with a recurrence: GRU4Rec (Hidasi et al. 2016, https://arxiv.org/abs/1511.06939); with causal convolutions: NextItNet
(Yuan et al. 2019, https://doi.org/10.1145/3289600.3290975).

Shapes: B users, L places of a history, the latest last, P places that hold an item, I items, D width, T width of texts.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from shoprec.models.sequence.config import SequenceConfig

#: Stands where a history has no item.
NOTHING = -1
#: Lengths of gaps that are told apart: bucket n holds those of more than 2^(n-1) - 1 up to 2^n - 1 days.
GAPS = 16
#: Standard deviation of untrained rows.
_DEVIATION = 0.02


@dataclass(frozen=True)
class Histories:
    """What is read: items, and the days since the item before, which is 0 for the first."""

    item_BL: torch.Tensor  #: item_idx, ``NOTHING`` before the first; int64
    days_BL: torch.Tensor


class ItemTable(nn.Module):
    """Items by their number and, where there are texts, by these."""

    def __init__(self, items: int, text_width: int, config: SequenceConfig, *, sparse: bool) -> None:
        super().__init__()
        self.table = nn.Embedding(items, config.width, sparse=sparse)
        self.text = nn.Linear(text_width, config.width, bias=False) if text_width else None
        nn.init.normal_(self.table.weight, std=_DEVIATION)
        if self.text is not None:
            nn.init.normal_(self.text.weight, std=_DEVIATION)

    def forward(self, item: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """Their vectors, (…, D).

        :param text: their text vectors, (…, T)
        """
        known = self.table(item)
        return known if self.text is None else known + self.text(text)


class Attention(nn.Module):
    """A layer of causal attention, then one that looks at each place by itself."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.before, self.between = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.asked = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.each = _each(config)

    def forward(self, x_BLD: torch.Tensor, there_BL: torch.Tensor) -> torch.Tensor:
        """What each place knows once it has looked at those before it."""
        B, L, D = x_BLD.shape
        asked = self.asked(self.before(x_BLD)).view(B, L, 3, self.heads, D // self.heads)
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        seen_LL = torch.ones(L, L, dtype=torch.bool, device=x_BLD.device).tril()
        # A place always sees itself: else one before the first item would see nothing, which gives no number.
        own_LL = torch.eye(L, dtype=torch.bool, device=x_BLD.device)
        seen_B1LL = ((seen_LL & there_BL[:, None, :]) | own_LL)[:, None]
        dropout = self.dropout if self.training else 0.0
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=seen_B1LL, dropout_p=dropout)
        x_BLD = x_BLD + F.dropout(self.out(read.transpose(1, 2).reshape(B, L, D)), dropout)
        return x_BLD + self.each(self.between(x_BLD))


class Recurrence(nn.Module):
    """A GRU or LSTM of several layers."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[config.reader]
        between = config.dropout if config.layers > 1 else 0.0
        self.cells = kind(config.width, config.width, config.layers, batch_first=True, dropout=between)

    def forward(self, x_BLD: torch.Tensor, there_BL: torch.Tensor) -> torch.Tensor:
        """What is remembered after each place."""
        # It begins with the first item: brought to the front, and what was remembered back to its place.
        places_L, before_B1 = torch.arange(x_BLD.shape[1], device=x_BLD.device), (~there_BL).sum(dim=1, keepdim=True)
        front_BL, back_BL = ((places_L + way * before_B1) % len(places_L) for way in (1, -1))
        read_BLD, _ = self.cells(_moved(x_BLD, front_BL))
        return _moved(read_BLD, back_BL)


def _moved(x_BLD: torch.Tensor, places_BL: torch.Tensor) -> torch.Tensor:
    return x_BLD.gather(1, places_BL[..., None].expand_as(x_BLD))


class Convolution(nn.Module):
    """A gated causal convolution, which reaches further back with each layer, then a look at each place by itself."""

    def __init__(self, config: SequenceConfig, layer: int) -> None:
        super().__init__()
        # Twice as far with each layer, until that is further than histories are long; then from the start again.
        layers = max(1, math.ceil(math.log2(config.length / (config.kernel - 1))))
        dilation = 2 ** (layer % layers)
        self.back = (config.kernel - 1) * dilation
        self.before, self.between = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.seen = nn.Conv1d(config.width, 2 * config.width, config.kernel, dilation=dilation)
        self.each = _each(config)

    def forward(self, x_BLD: torch.Tensor, there_BL: torch.Tensor) -> torch.Tensor:
        """What each place knows once it has looked at some before it."""
        seen = (self.before(x_BLD) * there_BL[..., None]).transpose(1, 2)
        x_BLD = x_BLD + F.glu(self.seen(F.pad(seen, (self.back, 0))), dim=1).transpose(1, 2)
        return x_BLD + self.each(self.between(x_BLD))


def _each(config: SequenceConfig) -> nn.Module:
    return nn.Sequential(
        nn.Linear(config.width, config.width), nn.ReLU(), nn.Dropout(config.dropout),
        nn.Linear(config.width, config.width), nn.Dropout(config.dropout),
    )  # fmt: skip


class Reader(nn.Module):
    """Reads the vectors of a history's items: what it gives for a place stands for the user once that item was met."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.gaps = nn.Embedding(GAPS, config.width) if config.gaps else None
        self.places = nn.Embedding(config.length, config.width) if config.reader == "transformer" else None
        if config.reader == "transformer":
            layers = [Attention(config) for _ in range(config.layers)]
        elif config.reader == "cnn":
            layers = [Convolution(config, layer) for layer in range(config.layers)]
        else:
            layers = [Recurrence(config)]
        self.layers, self.last, self.drop = (
            nn.ModuleList(layers),
            nn.LayerNorm(config.width),
            nn.Dropout(config.dropout),
        )
        for table in (self.gaps, self.places):
            if table is not None:
                nn.init.normal_(table.weight, std=_DEVIATION)

    def forward(self, item_BLD: torch.Tensor, histories: Histories) -> torch.Tensor:
        """(B, L, D); what stands before the first item means nothing."""
        there_BL = histories.item_BL != NOTHING
        # By the root of the width, as untrained rows are short beside those of places.
        x_BLD = item_BLD * item_BLD.shape[2] ** 0.5
        if self.places is not None:
            # Counted from the latest, so that a place means the same however long the history.
            x_BLD = x_BLD + self.places(torch.arange(x_BLD.shape[1] - 1, -1, -1, device=x_BLD.device))
        if self.gaps is not None:
            x_BLD = x_BLD + self.gaps(torch.log2(1 + histories.days_BL).ceil().long().clamp(max=GAPS - 1))
        x_BLD = self.drop(x_BLD) * there_BL[..., None]
        for layer in self.layers:
            x_BLD = layer(x_BLD, there_BL)
        return self.last(x_BLD)
