"""The loop on a model small enough to check by hand: early stopping, resuming, what it refuses."""

import numpy as np
import pytest
import torch
from torch import nn

from shoprec.errors import ShoprecError
from shoprec.training.checkpoints import Checkpoints
from shoprec.training.collectives import Alone, broadcast_facts
from shoprec.training.config import TrainingConfig
from shoprec.training.lanes import Lanes
from shoprec.training.loop import History, exchange, facts_of, train
from shoprec.training.storage import Folder

ROWS = 20


class Killed(Exception):
    """Stands for the end of the process."""


class Line:
    """Fits y = 2 x + offset of the row's group, the offsets in a table."""

    def __init__(self, figures=(), killed_at=None):
        generator = torch.Generator().manual_seed(5)
        self.x = torch.rand(ROWS, generator=generator)
        self.group = torch.arange(ROWS) % 3
        self.weight = torch.rand(ROWS, generator=generator) + 0.1
        self.slope, self.offsets = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(3, 1))
        self.dense, self.tables, self.device = [self.slope], [self.offsets], torch.device("cpu")
        self.figures, self.killed_at, self.steps = list(figures), killed_at, []

    def named_parameters(self):
        return {"slope": self.slope, "offsets": self.offsets}

    def batch(self, rows, step):
        return rows, step

    def loss(self, batch):
        rows, step = batch
        if step == self.killed_at:
            raise Killed
        self.steps.append(step)
        row = torch.from_numpy(rows)
        weight = torch.where(row >= 0, self.weight[row.clamp(min=0)], 0.0)
        x, group = self.x[row.clamp(min=0)], self.group[row.clamp(min=0)]
        offset = nn.functional.embedding(group, self.offsets, sparse=True).squeeze(1)
        error = self.slope * x + offset - (2 * x + group)
        return (weight * error.square()).sum(), weight.sum()

    def validate(self, _collectives):
        return self.figures.pop(0) if self.figures else None


def run(task, folder, said=None, **settings):
    config = TrainingConfig(**{"lanes": 2, "batch": 4, "epochs": 5, "learning_rate": 0.05, **settings})
    heard = [] if said is None else said
    return train(task, Lanes(ROWS, 2, 4), config, Alone(), Checkpoints(Folder(str(folder)), 2), 1, heard.append)


def test_gradients_are_those_of_the_weighted_mean():
    task = Line()
    rows = np.array([3, 7, 11, -1])
    loss, weight = task.loss(task.batch(rows, 0))
    loss.backward()
    totals = exchange(task, loss.detach(), weight, Alone())()
    w, x, group = (values[rows[:3]].numpy().astype(float) for values in (task.weight, task.x, task.group))
    error = -(2 * x + group)
    assert totals.tolist() == pytest.approx([(w * error**2).sum(), w.sum()], rel=1e-5)
    assert task.slope.grad.item() == pytest.approx((w * 2 * error * x).sum() / w.sum(), rel=1e-5)
    expected = [(w * 2 * error)[group == number].sum() / w.sum() for number in range(3)]
    assert task.offsets.grad.to_dense().squeeze(1).tolist() == pytest.approx(expected, rel=1e-5)


class Told(Alone):
    """One rank that writes down when a sum is begun, and when it is waited for."""

    def __init__(self, said):
        self.said = said

    def reduce(self, *tensors):
        self.said.append("begun")
        sums = super().reduce(*tensors)
        return lambda: (self.said.append("waited for"), sums())[1]


def test_the_next_batch_is_made_while_ranks_wait_for_each_other(tmp_path):
    said = []

    class Watched(Line):
        def batch(self, rows, step):
            said.append(step)
            return super().batch(rows, step)

    config = TrainingConfig(lanes=2, batch=4, epochs=2)
    train(Watched(), Lanes(ROWS, 2, 4), config, Told(said), Checkpoints(Folder(str(tmp_path)), 2), 1, [].append)
    steps = [[step, "begun", step + 1, "waited for"] for step in range(4)]
    first = [steps[0][0], *(what for one in steps for what in one[1:]), "begun", "waited for"]
    assert said == first + [what + 5 if isinstance(what, int) else what for what in first]


def test_it_learns(tmp_path):
    task = Line()
    history = run(task, tmp_path, epochs=60, patience=60, table_rate=0.5)
    assert history.loss[-1] < history.loss[0] / 50
    assert history.best == 59


def test_the_best_epoch_is_taken_and_patience_ends_the_rest(tmp_path):
    figures = [0.1, 0.3, 0.2, 0.3, 0.9]
    task, best = Line(figures), Line(figures[:2])
    history = run(task, tmp_path / "one", patience=2)
    assert (len(history.loss), history.best) == (4, 1)
    run(best, tmp_path / "two", epochs=5, patience=2)
    by_epoch = Checkpoints(Folder(str(tmp_path / "one")), 2).read(1)[0]
    assert torch.equal(task.slope, by_epoch["model.slope"])
    assert torch.equal(task.offsets, by_epoch["model.offsets"])


@pytest.mark.parametrize("killed_at", [0, 7, 12, 24])
def test_a_resumed_training_ends_with_the_bits_of_one_never_killed(tmp_path, killed_at):
    figures = [0.1, 0.2, 0.3, 0.25, 0.4]
    whole = Line(figures)
    expected = run(whole, tmp_path / "whole")
    with pytest.raises(Killed):
        run(Line(figures, killed_at), tmp_path / "killed")
    done, said = killed_at // 5, []
    resumed = Line(figures[done:])
    history = run(resumed, tmp_path / "killed", said)
    assert resumed.steps[0] == done * 5
    assert torch.equal(whole.slope, resumed.slope)
    assert torch.equal(whole.offsets, resumed.offsets)
    assert (history.loss, history.validation, history.best) == (expected.loss, expected.validation, expected.best)
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "killed").iterdir())
    assert all((tmp_path / "whole" / n).read_bytes() == (tmp_path / "killed" / n).read_bytes() for n in names)
    assert any("resumed after epoch" in told.get("text", "") for told in said) == (done > 0)


def test_a_finished_training_does_nothing_more(tmp_path):
    first = Line([0.5, 0.1, 0.1])
    run(first, tmp_path, patience=2)
    again = Line()
    history = run(again, tmp_path, patience=2)
    assert again.steps == []
    assert history.best == 0
    assert torch.equal(first.slope, again.slope)


def test_damage_goes_back_one_epoch_and_ends_the_same(tmp_path):
    whole = Line()
    run(whole, tmp_path)
    path = tmp_path / "epoch-00004.safetensors"
    path.write_bytes(path.read_bytes()[:-3] + b"xyz")
    said, again = [], Line()
    run(again, tmp_path, said)
    assert again.steps == [20, 21, 22, 23, 24]
    assert "damaged" in said[0]["text"]
    assert torch.equal(whole.slope, again.slope)


def test_a_loss_that_is_not_finite_is_refused(tmp_path):
    task = Line()
    task.x[3] = torch.inf
    with pytest.raises(ShoprecError, match="loss of epoch 1 is nan: lower learning_rate"):
        run(task, tmp_path)


def test_facts():
    facts = facts_of(History([2.0, 1.0], [0.1, 0.2], [0.0, 4.0]), samples=100, ranks=2)
    assert facts["epochs"] == [1, 2]
    assert (facts["best_epoch"], facts["samples_per_second"], facts["ranks"]) == (2, 25.0, 2)


def test_facts_travel_as_they_are():
    facts = {"ä": [1, None, 0.1], "b": "x" * 1000}
    assert broadcast_facts(Alone(), facts, torch.device("cpu")) == facts
    assert broadcast_facts(Alone(), None, torch.device("cpu")) is None
