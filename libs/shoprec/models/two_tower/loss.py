"""Sampled softmax with negatives shared by a batch.

Shapes: B samples, K negatives, D width of the embeddings.
"""

import math

import torch
from torch.nn import functional as F

#: Logit of a negative that is the positive itself.
NEVER = -1e30


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
