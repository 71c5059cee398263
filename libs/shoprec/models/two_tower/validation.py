"""Recall of held-out pairs by dot products with all items: what early stopping goes by.

Shapes: V validation users, P held-out pairs, S pairs seen in training, J items of one block, D width of the embeddings.
"""

from dataclasses import dataclass

import numpy as np
import torch

from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.models.two_tower.model import TwoTower
from shoprec.models.two_tower.tensors import Columns, Items, Users, load_users
from shoprec.training.collectives import Collectives
from shoprec.training.lanes import bounds
from shoprec.training.reader import Snapshot, column

#: Items scored at a time.
BLOCK = 16384

#: Held-out pairs compared with a block at a time: the scores of many more would not stay in the caches.
PAIRS = 128


@dataclass(frozen=True)
class HeldOut:
    """The validation users, and pairs of (place among them, item_idx): held out, and seen in training."""

    users: Users
    held_user_P: torch.Tensor
    held_item_P: torch.Tensor
    seen_user_S: torch.Tensor
    seen_item_S: torch.Tensor


def load_held_out(snapshot: Snapshot, columns: Columns, config: TwoTowerConfig, device: torch.device) -> HeldOut | None:
    """The validation table, whole, on every rank: its size is bounded by the settings. None where it is empty."""
    batches = list(snapshot.batches("validation"))
    if not batches:
        return None
    ids = np.concatenate([column(batch, "user_idx", np.int64) for batch in batches])
    wanted = np.sort(ids)
    pairs = []
    for name in ("held", "seen"):
        lists = [batch.column(name) for batch in batches]
        lengths = np.concatenate([each.value_lengths().to_numpy(zero_copy_only=False) for each in lists])
        items = np.concatenate([each.flatten().to_numpy(zero_copy_only=False) for each in lists])
        places = np.repeat(np.searchsorted(wanted, ids), lengths)
        pairs += [torch.from_numpy(array.astype(np.int64)).to(device) for array in (places, items)]
    return HeldOut(load_users(snapshot, columns, config, wanted, device), *pairs)


def recall(model: TwoTower, held_out: HeldOut, items: Items, k: int, collectives: Collectives) -> float:
    """Mean over users of the share of their held-out items, of at most k, that are among the k best unseen items.

    Each rank scores its share of the items, and counts how many of them beat each held-out pair; the sum of the counts
    over all ranks is the pair's place in the list.
    """
    user_VD = model.embed_users(held_out.users.known).float()
    item_PD = model.items(*items.of(held_out.held_item_P)).float()
    score_P = (user_VD[held_out.held_user_P] * item_PD).sum(dim=1)
    beaten_P = torch.zeros(len(score_P), dtype=torch.float64, device=score_P.device)
    first, last = bounds(len(items.text_I), collectives.rank, collectives.size)
    for low in range(first, last, BLOCK):
        beaten_P += _beaten(model, held_out, items, user_VD, score_P, low, min(low + BLOCK, last))
    (place_P,) = collectives.reduce(beaten_P)()
    hit_P = (place_P < k).double()
    hits_V, held_V = (torch.zeros(len(user_VD), dtype=torch.float64, device=hit_P.device) for _ in range(2))
    hits_V.index_add_(0, held_out.held_user_P, hit_P)
    held_V.index_add_(0, held_out.held_user_P, torch.ones_like(hit_P))
    return float((hits_V / held_V.clamp(max=k)).mean())


def _beaten(
    model: TwoTower,
    held_out: HeldOut,
    items: Items,
    user_VD: torch.Tensor,
    score_P: torch.Tensor,
    low: int,
    high: int,
) -> torch.Tensor:
    """For each held-out pair, how many unseen items of [low, high) score higher, (P,)."""
    block_JD = model.items(*items.of(torch.arange(low, high, device=user_VD.device))).float()
    score_VJ = user_VD @ block_JD.T
    inside_S = (held_out.seen_item_S >= low) & (held_out.seen_item_S < high)
    score_VJ[held_out.seen_user_S[inside_S], held_out.seen_item_S[inside_S] - low] = -torch.inf
    beaten_P = torch.empty_like(score_P, dtype=torch.float64)
    for piece in torch.arange(len(score_P), device=score_P.device).split(PAIRS):
        beaten_P[piece] = (score_VJ[held_out.held_user_P[piece]] > score_P[piece, None]).sum(dim=1).double()
    # The pair's own item does not beat it, whatever the last bit of its two dot products says.
    inside_P = ((held_out.held_item_P >= low) & (held_out.held_item_P < high)).nonzero().squeeze(1)
    own = score_VJ[held_out.held_user_P[inside_P], held_out.held_item_P[inside_P] - low] > score_P[inside_P]
    beaten_P[inside_P] -= own.double()
    return beaten_P
