"""What a reader of histories may know, and what it may not."""

import pytest
import torch

from shoprec.models.sequence.config import SequenceConfig
from shoprec.models.sequence.model import GAPS, NOTHING, Histories, ItemTable, Reader

READERS = ("transformer", "gru", "lstm", "cnn")


def made(reader, **settings):
    torch.manual_seed(1)
    config = SequenceConfig(reader=reader, width=8, layers=2, heads=2, length=12, dropout=0.5, **settings)
    return ItemTable(20, 0, config, sparse=False).eval(), Reader(config).eval()


def read(parts, items, days=None):
    table, reader = parts
    item_BL = torch.tensor(items)
    days_BL = torch.zeros_like(item_BL).float() if days is None else torch.tensor(days)
    return reader(table(item_BL.clamp(min=0), None), Histories(item_BL, days_BL))


@pytest.mark.parametrize("reader", READERS)
def test_a_place_knows_nothing_of_later_ones(reader):
    parts = made(reader)
    one, other = read(parts, [[1, 2, 3, 4]]), read(parts, [[1, 2, 7, 9]])
    assert torch.equal(one[:, :2], other[:, :2])
    assert not torch.allclose(one[:, 2:], other[:, 2:])


@pytest.mark.parametrize("reader", READERS)
def test_each_place_knows_of_those_just_before(reader):
    parts = made(reader)
    assert not torch.allclose(read(parts, [[5, 2, 3]])[:, -1], read(parts, [[6, 2, 3]])[:, -1])


@pytest.mark.parametrize("reader", READERS)
def test_what_is_filled_up_before_a_history_does_not_count(reader):
    parts = made(reader)
    short = read(parts, [[4, 5, 6]])
    filled = read(parts, [[NOTHING] * 3 + [4, 5, 6], [9, 8, 7, 6, 5, 4]])
    torch.testing.assert_close(filled[:1, 3:], short)
    assert torch.isfinite(filled).all()


@pytest.mark.parametrize("reader", READERS)
def test_gaps_are_read_where_asked(reader):
    items, days = [[1, 2, 3]], ([[0.0, 0.0, 0.0]], [[0.0, 90.0, 0.0]])
    with_gaps, without = made(reader), made(reader, gaps=False)
    assert not torch.allclose(*(read(with_gaps, items, one)[:, -1] for one in days))
    assert torch.equal(*(read(without, items, one) for one in days))
    assert torch.isfinite(read(with_gaps, items, [[0.0, 2.0**40, 0.0]])).all(), GAPS


def test_heads_divide_the_width():
    with pytest.raises(ValueError, match=r"width \(10\) is no multiple of heads \(4\)"):
        SequenceConfig(width=10, heads=4)
