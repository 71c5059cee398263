"""The towers: what they read, and what they must not."""

import pytest
import torch

from shoprec.models.two_tower.model import Shape, TwoTower, UserBatch
from tests.models.two_tower.planted import small

SHAPE = Shape(items=10, item_word_rows=3, item_numeric=2, text_width=4, user_word_rows=5, user_numeric=3)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = TwoTower(SHAPE, small())
    torch.nn.init.normal_(model.items.table.weight)
    return model


def users(recent, weight):
    generator = torch.Generator().manual_seed(1)
    count = len(recent)
    return UserBatch(
        torch.randn(count, 3, generator=generator), torch.zeros(count, 1, dtype=torch.int32), recent.int(), weight
    )


RECENT = torch.tensor([[1, 2, 3], [4, 5, 0], [6, 0, 0]])
WEIGHT = torch.tensor([[1.0, 0.5, 0.25], [1.0, 0.5, 0.0], [0.7, 0.0, 0.0]])


def test_a_samples_own_item_is_left_out_of_the_recent_ones(model):
    user = users(RECENT, WEIGHT)
    own = torch.tensor([2, 9, 6])
    without = model.embed_users_without(user, torch.arange(3), own)
    expected = model.embed_users(users(RECENT, WEIGHT * (own[:, None] != RECENT)))
    assert torch.allclose(without, expected, atol=1e-5)
    # The second user never chose item 9: nothing is left out. The first is told less than before.
    known = model.embed_users(user)
    assert torch.allclose(without[1], known[1], atol=1e-6)
    assert not torch.allclose(without[0], known[0], atol=1e-3)


def test_item_0_as_padding_is_not_an_item(model):
    own = torch.zeros(3, dtype=torch.int64)
    user = users(RECENT, WEIGHT)
    without = model.embed_users_without(user, torch.arange(3), own)
    assert torch.allclose(without, model.embed_users(user), atol=1e-6)


def test_users_may_come_in_any_order_and_repeat(model):
    unique = users(RECENT, WEIGHT)
    inverse, own = torch.tensor([2, 0, 0, 1]), torch.tensor([6, 1, 2, 4])
    alone = [
        model.embed_users_without(unique.take(place[None]), torch.zeros(1, dtype=torch.int64), item[None])
        for place, item in zip(inverse, own, strict=True)
    ]
    together = model.embed_users_without(unique, inverse, own)
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_embeddings_have_unit_length_and_a_user_without_anything_has_one(model):
    embedded = model.embed_users(users(torch.zeros(2, 3), torch.zeros(2, 3)))
    rows = torch.tensor([[0, 10], [9, 12]], dtype=torch.int32)
    items = model.items(rows, torch.zeros(2, 2), torch.zeros(2, 4))
    for vectors in (embedded, items):
        assert torch.isfinite(vectors).all()
        assert torch.allclose(vectors.norm(dim=1), torch.ones(2), atol=1e-5)


def test_gradients_of_tables_are_sparse_and_touch_the_rows_read(model):
    user = users(RECENT, WEIGHT)
    rows = torch.tensor([[7, 11], [8, 11]], dtype=torch.int32)
    scores = model.embed_users(user) @ model.items(rows, torch.ones(2, 2), torch.ones(2, 4)).T
    scores.sum().backward()
    assert sorted(set(model.items.table.weight.grad.coalesce().indices()[0].tolist())) == [7, 8, 11]
    assert model.users.table.weight.grad.coalesce().indices()[0].tolist() == [0]


def test_without_recent_items_users_are_told_by_the_rest():
    model = TwoTower(SHAPE, small(recent=0))
    user = users(torch.zeros(2, 0), torch.zeros(2, 0))
    assert model.embed_users(user).shape == (2, 8)
    assert not torch.allclose(*model.embed_users(user))


def test_what_is_forgotten_is_a_draw_by_user_item_and_step():
    count, kept = 400, 0.3
    user = UserBatch(
        torch.zeros(count, 3),
        torch.zeros(count, 1, dtype=torch.int32),
        torch.arange(50, dtype=torch.int32).repeat(count, 1),
        torch.full((count, 50), 0.5),
    )
    ids = torch.arange(count)
    told = user.forget(ids, kept, 7).recent_weight_BR
    assert set(told.unique().tolist()) == {0.0, 0.5}
    stays = (told > 0).float()
    # 20,000 draws, 400 an item, 50 a user: within five standard deviations of the share.
    assert abs(stays.mean().item() - kept) < 5 * (kept * (1 - kept) / 20_000) ** 0.5
    assert (stays.mean(dim=0) - kept).abs().max() < 5 * (kept * (1 - kept) / count) ** 0.5
    assert (stays.mean(dim=1) - kept).abs().max() < 5 * (kept * (1 - kept) / 50) ** 0.5
    # Another step is another draw, as good as independent; a user's draw does not depend on who else is there.
    other = (user.forget(ids, kept, 8).recent_weight_BR > 0).float()
    both = (stays * other).mean().item()
    assert abs(both - kept**2) < 5 * (kept**2 * (1 - kept**2) / 20_000) ** 0.5
    few = torch.tensor([399, 3])
    assert torch.equal(user.take(few).forget(few, kept, 7).recent_weight_BR, told[few])
    assert torch.equal(user.forget(ids, 1.0, 7).recent_weight_BR, user.recent_weight_BR)
