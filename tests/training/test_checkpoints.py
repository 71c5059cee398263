"""Weights and checkpoints on disk: damage is seen, and the last whole one is found."""

import hashlib
import json

import pytest
import torch

from shoprec.training.checkpoints import Checkpoints
from shoprec.training.storage import Folder
from shoprec.training.weights import DamagedWeights, read_weights, write_weights


@pytest.fixture
def folder(tmp_path):
    return Folder(str(tmp_path / "weights"))


def values(number):
    return {"model.a": torch.full((3, 2), float(number)), "model.b": torch.arange(number + 1)}


def flip(folder, name, at=-1):
    content = bytearray(folder.read(name))
    content[at] ^= 1
    folder.write(name, bytes(content))


def test_weights_come_back_and_equal_weights_have_equal_bytes(folder):
    one = write_weights(folder, "one", values(2), {"epoch": 2})
    other = write_weights(folder, "other", dict(reversed(values(2).items())), {"epoch": 9})
    tensors, facts = read_weights(folder, "one")
    assert all(torch.equal(tensors[name], tensor) for name, tensor in values(2).items())
    assert (facts["epoch"], facts["sha256"]) == (2, one)
    assert one == other
    assert sorted(folder.files()) == ["one.json", "one.safetensors", "other.json", "other.safetensors"]


@pytest.mark.parametrize("at", [0, 40, -1])
def test_one_changed_bit_is_seen(folder, at):
    write_weights(folder, "one", values(2), {})
    flip(folder, "one.safetensors", at)
    with pytest.raises(DamagedWeights, match="damaged"):
        read_weights(folder, "one")


def test_weights_without_their_json_or_with_half_of_it_are_refused(folder):
    write_weights(folder, "one", values(2), {})
    content = folder.read("one.json")
    folder.write("one.json", content[: len(content) // 2])
    with pytest.raises(DamagedWeights, match="cannot be read"):
        read_weights(folder, "one")
    folder.delete("one.json")
    with pytest.raises(DamagedWeights, match="cannot be read"):
        read_weights(folder, "one")


def test_bytes_that_match_but_are_no_safetensors_are_refused(folder):
    sha = hashlib.sha256(b"test").hexdigest()
    folder.write("one.safetensors", b"test")
    folder.write("one.json", json.dumps({"file": "one.safetensors", "sha256": sha, "bytes": 4}).encode())
    with pytest.raises(DamagedWeights, match="cannot be read"):
        read_weights(folder, "one")


def test_the_recent_and_the_best_checkpoints_are_kept(folder):
    checkpoints = Checkpoints(folder, keep=2)
    for epoch in range(6):
        checkpoints.write(epoch, values(epoch), {"epoch": epoch, "best": 1}, best=1)
    assert sorted({name.split(".")[0] for name in folder.files()}) == ["epoch-00001", "epoch-00004", "epoch-00005"]
    tensors, facts = checkpoints.latest(pytest.fail)
    assert facts["epoch"] == 5
    assert torch.equal(tensors["model.a"], values(5)["model.a"])


def test_a_damaged_checkpoint_is_passed_over_with_a_message(folder):
    checkpoints, said = Checkpoints(folder, keep=3), []
    for epoch in range(3):
        checkpoints.write(epoch, values(epoch), {"epoch": epoch, "best": epoch}, best=epoch)
    flip(folder, "epoch-00002.safetensors")
    folder.delete("epoch-00001.json")  # killed before it was finished
    assert checkpoints.latest(said.append)[1]["epoch"] == 0
    assert "epoch-00002.safetensors are damaged" in said[0]
    assert "going back" in said[0]


def test_a_checkpoint_whose_best_one_is_damaged_is_passed_over(folder):
    checkpoints, said = Checkpoints(folder, keep=3), []
    for epoch, best in enumerate((0, 1, 1)):
        checkpoints.write(epoch, values(epoch), {"epoch": epoch, "best": best}, best=best)
    flip(folder, "epoch-00001.safetensors")
    assert checkpoints.latest(said.append)[1]["epoch"] == 0
    assert len(said) == 2


def test_no_checkpoint_is_no_error(folder):
    assert Checkpoints(folder, keep=2).latest(pytest.fail) is None
