"""The softmax of what was chosen: over all items, or estimated from negatives that a batch shares.

Shapes: B samples, I items, K negatives, D width of the embeddings.
"""

import math
from typing import Any

import torch
from torch.nn import functional as F

#: Logit of a negative that is the positive itself.
NEVER = -1e30

#: Samples whose scores of all items are held at a time: few enough for a core's cache, many enough for its products.
AT_A_TIME = 128


def full_softmax(user_BD: torch.Tensor, item_ID: torch.Tensor, positive_B: torch.Tensor) -> torch.Tensor:
    """Sum over the samples of minus the log of the softmax of their positive over all items.

    Autograd would keep all scores, B x I. Here both gradients are made block by block, together with the loss, and the
    memory is that of one block.

    :param positive_B: places of the positives in ``item_ID``
    """
    return _FullSoftmax.apply(user_BD, item_ID, positive_B)


class _FullSoftmax(torch.autograd.Function):
    """The gradients are made on the way: ``backward`` multiplies them by that of the sum."""

    @staticmethod
    def forward(ctx: Any, user_BD: torch.Tensor, item_ID: torch.Tensor, positive_B: torch.Tensor) -> torch.Tensor:
        total = user_BD.new_zeros((), dtype=torch.float32)
        by_user_BD, by_item_ID = torch.empty_like(user_BD), torch.zeros_like(item_ID)
        for user_CD, positive_C, by_user_CD in zip(
            *(whole.split(AT_A_TIME) for whole in (user_BD, positive_B, by_user_BD)), strict=True
        ):
            score_CI = (user_CD @ item_ID.T).float()
            own_C1, best_C1 = score_CI.gather(1, positive_C[:, None]), score_CI.amax(dim=1, keepdim=True)
            raised_CI = score_CI.sub_(best_C1).exp_()
            sum_C1 = raised_CI.sum(dim=1, keepdim=True)
            total += (sum_C1.log() + best_C1 - own_C1).sum()
            by_user_CD.copy_((raised_CI @ item_ID) / sum_C1 - item_ID[positive_C])
            by_item_ID += raised_CI.T @ (user_CD / sum_C1)
        by_item_ID.index_add_(0, positive_B, user_BD.to(by_item_ID.dtype), alpha=-1)
        ctx.save_for_backward(by_user_BD, by_item_ID)
        return total

    @staticmethod
    def backward(ctx: Any, by_total: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:  # type: ignore[override]
        by_user_BD, by_item_ID = ctx.saved_tensors
        return by_user_BD * by_total, by_item_ID * by_total, None


def sampled_softmax(
    user_BD: torch.Tensor,
    positive_BD: torch.Tensor,
    negative_KD: torch.Tensor,
    positive_B: torch.Tensor,
    negative_K: torch.Tensor,
    log_q_K: torch.Tensor,
) -> torch.Tensor:
    """Loss of each sample, (B,): minus the log of the softmax of its positive over all items, estimated.

    The sum over all other items is estimated from K draws with chances q: each drawn item counts exp(score) / (K q)
    (the logQ correction; Bengio and Senécal, 2008; Yi et al., 2019), and a draw of the positive itself (an accidental
    hit) counts nothing. The positive was not drawn, so its own score stays as it is: the estimate of the sum over all
    items is then free of bias (Khrylchenko et al., 2025).

    :param user_BD: user embeddings, divided by the temperature
    :param positive_B: ids of the positives; ``negative_K``: of the negatives
    :param log_q_K: log of the chance with which each negative was drawn, normalised over all items
    """
    count = len(negative_K)
    positive_B1 = (user_BD * positive_BD).sum(dim=1, keepdim=True)
    logits_BK = torch.addmm(-(log_q_K + math.log(count)), user_BD, negative_KD.T)
    rows, places = accidental_hits(positive_B, negative_K)
    logits_BK = logits_BK.index_put((rows, places), logits_BK.new_tensor(NEVER))
    others_B1 = torch.logsumexp(logits_BK.float(), dim=1, keepdim=True)
    # -log(e^p / (e^p + e^o)) = log(1 + e^(o - p))
    return F.softplus(others_B1 - positive_B1.float()).squeeze(1)


def accidental_hits(positive_B: torch.Tensor, negative_K: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(sample, place among the negatives) of every negative that is its sample's positive, without a B x K mask."""
    ordered_K, place_K = negative_K.sort()
    first_B = torch.searchsorted(ordered_K, positive_B)
    count_B = torch.searchsorted(ordered_K, positive_B, right=True) - first_B
    rows = torch.repeat_interleave(torch.arange(len(positive_B), device=positive_B.device), count_B)
    within = torch.arange(len(rows), device=rows.device) - torch.repeat_interleave(count_B.cumsum(0) - count_B, count_B)
    return rows, place_K[first_B[rows] + within]
