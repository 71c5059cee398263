"""Horovod on 1, 2 and 4 processes: each sample once an epoch, and the loss and gradients of one process."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from shoprec.errors import ConfigError, ShoprecError
from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.training.config import TrainingConfig
from shoprec.training.launch import launch
from shoprec.training.storage import Folder
from tests.models.two_tower.arrow_shop import arguments, snapshot

FUNCTIONS = "tests.models.two_tower.functions"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = Folder(str(tmp_path_factory.mktemp("shop")))
    snapshot(folder.below("snapshot"))
    return folder


def run(shop, tmp_path, function, launcher, ranks, **more):
    # Patient with a machine that has other things to do.
    config = TrainingConfig(launcher=launcher, ranks=ranks, device="cpu", hang_s=300, silence_s=1500)
    told = []
    result = launch(function, arguments(shop) | more, config, Folder(str(tmp_path / "task")), told.append)
    return result, told


@pytest.mark.timeout(900)
def test_any_number_of_ranks_computes_what_one_does(shop, tmp_path):
    ranks = {}
    for size in (1, 2, 4):
        run(shop, tmp_path, f"{FUNCTIONS}:one_epoch", "horovod", size, out=str(tmp_path))
        ranks[size] = [np.load(tmp_path / f"{size}-{rank}.npz") for rank in range(size)]
    samples = 0
    for each in ranks.values():
        rows = np.concatenate([rank["rows"].reshape(-1) for rank in each])
        samples = len(rows[rows >= 0])
        assert sorted(rows[rows >= 0].tolist()) == list(range(samples))
        for rank in each:
            assert np.array_equal(rank["weights"], each[0]["weights"]), "ranks drifted apart"
            assert len(rank["rows"]) == len(each[0]["rows"])
        together = np.concatenate([rank["rows"] for rank in each], axis=1)
        assert np.array_equal(together, ranks[1][0]["rows"])
        assert np.allclose(each[0]["losses"], ranks[1][0]["losses"], rtol=1e-5)
        assert np.allclose(each[0]["gradients"][0], ranks[1][0]["gradients"][0], rtol=1e-4, atol=1e-7)
        assert np.allclose(each[0]["gradients"], ranks[1][0]["gradients"], rtol=1e-2, atol=1e-4)
        assert np.allclose(each[0]["weights"], ranks[1][0]["weights"], atol=1e-2)
        assert each[0]["recall"] == pytest.approx(ranks[1][0]["recall"], abs=0.02)
    assert samples > 600
    assert np.abs(ranks[1][0]["gradients"][0]).max() > 1e-3


def test_in_process_equals_one_horovod_rank_bit_for_bit(shop, tmp_path):
    for launcher in ("in_process", "horovod"):
        run(shop, tmp_path, f"{FUNCTIONS}:one_epoch", launcher, 1, out=str(tmp_path))
        (tmp_path / "1-0.npz").rename(tmp_path / f"{launcher}.npz")
    one, other = (np.load(tmp_path / f"{launcher}.npz") for launcher in ("in_process", "horovod"))
    assert all(np.array_equal(one[name], other[name]) for name in one.files)


@pytest.mark.faults
def test_a_killed_training_goes_on_and_ends_with_the_bits_of_one_never_killed(tmp_path):
    whole, killed = (Folder(str(tmp_path / name)) for name in ("whole", "killed"))
    for folder in (whole, killed):
        snapshot(folder.below("snapshot"))
    function = "shoprec.models.two_tower.train:train_two_tower"
    expected, _ = run(whole, tmp_path, function, "horovod", 1)
    with pytest.raises(ShoprecError, match="goes on from its last checkpoint"):
        run(killed, tmp_path, f"{FUNCTIONS}:train_and_die", "horovod", 1, killed_after=2)
    result, told = run(killed, tmp_path, function, "horovod", 1)
    assert any(one.get("text") == "resumed after epoch 3" for one in told)
    assert [one["epoch"] for one in told if one["kind"] == "epoch"] == [3, 4, 5]
    assert result["sha256"] == expected["sha256"]
    for name in ("users", "items"):
        files = whole.below("embeddings").files(name)
        assert files == killed.below("embeddings").files(name)
        assert all(
            whole.read(f"embeddings/{name}/{file}") == killed.read(f"embeddings/{name}/{file}") for file in files
        )


def test_what_does_not_fit_is_refused_before_it_starts(shop, tmp_path):
    told = arguments(shop)
    told["settings"] |= {"rank_memory_gib": 0.01}
    config = TrainingConfig(launcher="in_process", ranks=1)
    with pytest.raises(ConfigError, match=r"a rank needs [\d,]+ MiB of memory .*may use 10 MiB: set ranks"):
        launch("shoprec.models.two_tower.train:train_two_tower", told, config, Folder(str(tmp_path)), [].append)


def test_the_stored_model_is_what_the_facts_say(shop, tmp_path):
    told = arguments(shop, epochs=2)
    told |= {name: str(tmp_path / name) for name in ("checkpoints", "embeddings", "model")}
    config = TwoTowerConfig(**told["settings"])
    facts = launch("shoprec.models.two_tower.train:train_two_tower", told, config, Folder(str(tmp_path)), [].append)
    stored = Folder(told["model"])
    assert stored.files().keys() == {"model.json", "model.safetensors"}
    weights = load_file(tmp_path / "model" / "model.safetensors")
    assert weights["items.table.weight"].shape == (40 + 4, 8)
    assert facts["sha256"].encode() in stored.read("model.json")
    assert (facts["epochs"], facts["ranks"]) == ([1, 2], 1)
