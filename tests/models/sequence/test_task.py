"""The task of the sequence model: what is foretold, by which loss, and how it is judged."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from shoprec.models.sequence.config import SequenceConfig
from shoprec.models.sequence.model import NOTHING, Histories
from shoprec.models.sequence.task import Data, HeldOut, Sequence, SequenceTask, Texts
from shoprec.training.collectives import Alone

ITEMS = 12
ROWS = [[NOTHING, NOTHING, 1, 2, 3], [4, 5, 6, 7, 8], [NOTHING, NOTHING, NOTHING, NOTHING, 9]]


def task(rows=ROWS, held_out=None, **settings):
    told = {
        "width": 8,
        "layers": 1,
        "heads": 1,
        "length": 4,
        "lanes": 2,
        "batch": 4,
        "gaps": False,
        "dropout": 0.0,
        "same_moment": True,
    }
    config = SequenceConfig(**{**told, **settings})
    torch.manual_seed(2)
    texts = Texts(torch.zeros(ITEMS, dtype=torch.int64), torch.zeros(1, 0))
    item_SL = torch.tensor(rows, dtype=torch.int32)
    histories = Histories(item_SL, torch.zeros(item_SL.shape))
    data = Data(histories, texts, np.zeros(ITEMS, np.float32), held_out)
    return SequenceTask(Sequence(ITEMS, 0, config), data, config, 7)


def test_each_item_but_the_first_is_foretold_from_those_before_it():
    (part,) = task().batch(np.array([0, 1, 2, -1]), 0).parts
    assert part.histories.item_BL[:2].tolist() == [[-1, -1, 1, 2], [4, 5, 6, 7]]
    assert part.next_BL.tolist() == [[-1, -1, 2, 3], [5, 6, 7, 8], [-1] * 4, [-1] * 4]
    (part,) = task().batch(np.array([0, 2]), 0).parts
    assert part.next_BL.tolist() == [[2, 3], [-1, -1]]


def test_long_histories_are_read_apart_from_short_ones_and_the_loss_is_the_same(monkeypatch):
    rows = [[NOTHING] * (9 - n) + list(range(n)) for n in (3, 8, 5, 2, 7)]
    made, batch = task(rows, reader="gru"), np.arange(5)
    together, count = made.loss(made.batch(batch, 0))
    monkeypatch.setattr("shoprec.models.sequence.task.SHORT", 2)
    parts = made.batch(batch, 0).parts
    assert [part.next_BL.shape for part in parts] == [(1, 1), (1, 2), (3, 7)]
    apart, counted = made.loss(made.batch(batch, 0))
    torch.testing.assert_close(apart, together)
    assert count == counted == sum(int((part.next_BL != NOTHING).sum()) for part in parts) == 20


def test_the_loss_is_that_of_a_softmax_over_all_items():
    made = task(reader="gru")  # attention knows how far a place is from the end
    loss, count = made.loss(made.batch(np.array([0, 1, 2, -1]), 0))
    expected = 0.0
    for history in ([1, 2, 3], [4, 5, 6, 7, 8]):
        for at in range(1, len(history)):
            item_BL = torch.tensor([history[:at]])
            read = made.read(Histories(item_BL, torch.zeros(1, at)))[0, -1]
            expected += F.cross_entropy(made.model.items.table.weight @ read, torch.tensor(history[at]))
    assert count == 6
    torch.testing.assert_close(loss, expected)


def test_beyond_many_items_it_is_sampled_and_the_tables_gradient_is_sparse():
    made = task(full_softmax_items=5, negatives=4000)
    full = task()
    full.model.load_state_dict(made.model.state_dict())
    batch = made.batch(np.array([0, 1]), 3)
    loss, _ = made.loss(batch)
    loss.backward()
    assert made.tables[0].grad.is_sparse
    assert full.tables == []
    assert loss.item() == pytest.approx(full.loss(full.batch(np.array([0, 1]), 3))[0].item(), rel=0.02)


def test_what_is_left_out_depends_on_the_step_alone():
    made = task(dropout=0.5)
    one, again, other = (float(made.loss(made.batch(np.array([1]), step))[0]) for step in (0, 0, 1))
    assert one == again != other


def test_hits_are_counted_among_items_that_the_history_lacks():
    item_BL = torch.tensor([[NOTHING, 1, 2], [3, 4, 5]])
    made = task(held_out=HeldOut(Histories(item_BL, torch.zeros(2, 3)), torch.tensor([6, 11])), validation_k=1)
    with torch.no_grad():
        read = made.read(Histories(item_BL, torch.zeros(2, 3)))[:, -1]
    # Of the first user the history's own items score highest, then item 6; of the second, item 0 before item 11.
    scores = {0: {1: 3.0, 2: 3.0, 6: 2.0, 9: 1.0}, 1: {11: 1.0, 0: 2.0}}
    wanted = torch.tensor([[scores[user].get(item, 0.0) for item in range(ITEMS)] for user in (0, 1)])
    table = torch.linalg.lstsq(read, wanted).solution.T
    assert _with_table(made, table, read) == pytest.approx(0.5)
    # An item that the first user lacks, of number 0, beats what is next; and so does what is no number.
    table[0] += 3 * table[6]
    assert _with_table(made, table, read) == 0
    assert _with_table(made, table * torch.nan, read) == 0


def test_items_of_one_moment_foretell_each_other_only_where_asked():
    days = torch.tensor([[0.0, 0.0, 0.0, 2.0, 0.0]])
    for asked, expected in ((True, [[2, 3, 4, 5]]), (False, [[-1, -1, 4, -1]])):
        made = task([[1, 2, 3, 4, 5]], same_moment=asked)
        made._data.histories.days_BL.copy_(days)
        assert made.batch(np.array([0]), 0).parts[0].next_BL.tolist() == expected


def test_a_rank_without_samples_takes_part():
    made = task([[NOTHING] * 5])
    loss, count = made.loss(made.batch(np.array([-1, -1]), 0))
    loss.backward()
    assert (float(loss), int(count)) == (0.0, 0)


def _with_table(made, table_ID, read_BD):
    """Validate with these vectors of items, and what was read as it was."""
    made.items = lambda first, last: table_ID[first:last]
    made.model.items.forward = lambda item, _: table_ID[item]
    made.read = lambda histories: read_BD[:, None, :]
    return made.validate(Alone())
