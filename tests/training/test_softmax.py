"""Sampled softmax against an independent implementation, and against the softmax over all items."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from shoprec.training.softmax import AT_A_TIME, accidental_hits, full_softmax, sampled_softmax


def by_hand(user, items, positives, negatives, log_q):
    """One sample at a time, in float64."""
    losses = []
    for vector, positive in zip(user.astype(float), positives, strict=True):
        own = np.exp(vector @ items[positive].astype(float))
        others = sum(
            np.exp(vector @ items[n].astype(float)) / (len(negatives) * np.exp(log_q[n]))
            for n in negatives
            if n != positive
        )
        losses.append(-np.log(own / (own + others)))
    return losses


def ours(user, items, positives, negatives, log_q):
    positives, negatives = torch.tensor(positives), torch.tensor(negatives)
    table = torch.tensor(items)
    q = torch.tensor(log_q, dtype=torch.float32)[negatives]
    return sampled_softmax(torch.tensor(user), table[positives], table[negatives], positives, negatives, q).numpy()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), batch=st.integers(1, 6), count=st.integers(1, 12))
def test_equals_the_sum_written_out(seed, batch, count):
    rng = np.random.default_rng(seed)
    items, user = (rng.standard_normal((n, 3)).astype(np.float32) for n in (5, batch))
    q = rng.dirichlet(np.ones(5)) * 0.9 + 0.02
    positives, negatives = rng.integers(0, 5, batch), rng.integers(0, 5, count)
    expected = by_hand(user, items, positives, negatives, np.log(q))
    # Where every negative is an accidental hit nothing stands against the positive: the loss is 0.
    assert np.allclose(ours(user, items, positives, negatives, np.log(q)), expected, atol=1e-5)


def test_with_many_draws_it_is_the_softmax_over_all_items():
    rng = np.random.default_rng(1)
    items, user = (rng.standard_normal((n, 4)).astype(np.float32) for n in (20, 8))
    q = rng.dirichlet(np.ones(20)) * 0.8 + 0.01
    positives, negatives = rng.integers(0, 20, 8), rng.choice(20, 200_000, p=q)
    scores = user.astype(float) @ items.T.astype(float)
    full = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(8), positives]
    assert np.allclose(ours(user, items, positives, negatives, np.log(q)), full, atol=0.02)


def test_accidental_hits_are_all_found():
    rng = np.random.default_rng(2)
    positives, negatives = torch.tensor(rng.integers(0, 6, 40)), torch.tensor(rng.integers(0, 6, 30))
    rows, places = accidental_hits(positives, negatives)
    found = torch.zeros(40, 30, dtype=torch.bool)
    found[rows, places] = True
    assert torch.equal(found, positives[:, None] == negatives[None, :])
    assert len(rows) == int(found.sum())


@pytest.mark.parametrize("samples", [0, 1, AT_A_TIME + 3])
def test_the_whole_softmax_and_its_gradients_are_those_of_autograd(samples):
    torch.manual_seed(3)
    told = [(torch.randn(size, 6) * 3).requires_grad_() for size in (samples, 40)]
    positive_B = torch.randint(0, 40, (samples,))
    expected = F.cross_entropy(told[0] @ told[1].T, positive_B, reduction="sum")
    wanted = torch.autograd.grad(2 * expected, told)
    loss = full_softmax(*told, positive_B)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(torch.autograd.grad(2 * loss, told), wanted)


def test_the_whole_softmax_holds_scores_beyond_what_exponentials_can():
    user_BD, item_ID = torch.tensor([[100.0]]), torch.tensor([[100.0], [-100.0]])
    assert float(full_softmax(user_BD, item_ID, torch.tensor([1]))) == pytest.approx(20_000)
