"""From gold tables to embeddings: snapshot by Spark, training by the launcher that is set, embeddings read back."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame

from shoprec.models.embeddings import named
from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.models.two_tower.data import Inputs, plan
from shoprec.training.config import TrainingConfig
from shoprec.training.launch import launch
from shoprec.training.snapshot import write_snapshot
from shoprec.training.storage import Folder

#: The training function, by the name that every rank finds it.
FUNCTION = "shoprec.models.two_tower.train:train_two_tower"


@dataclass(frozen=True)
class Trained:
    """What a training gave: (user_id, vector), (item_id, vector), and facts with the weights' SHA-256."""

    users: DataFrame
    items: DataFrame
    facts: dict[str, Any]


def fit(
    inputs: Inputs,
    config: TwoTowerConfig,
    training: Folder,
    model: Folder,
    seed: int,
    progress: Callable[[str], None],
) -> Trained:
    """Train the towers.

    :param training: for the snapshot, checkpoints, and the ranks' embeddings, which the returned frames read
    :param model: for the weights
    :param progress: told, in words, how far it is
    :raises ShoprecError: the training failed
    """
    manifest = write_snapshot(plan(inputs, config, seed), training.below("snapshot"))
    progress(f"snapshot of {manifest.tables['samples'].rows:,} samples; training on {config.ranks} ranks")
    arguments = {
        "snapshot": training.below("snapshot").uri,
        "checkpoints": training.below(f"checkpoints/{_identity(manifest.digest, config, seed)}").uri,
        "embeddings": training.below("embeddings").uri,
        "model": model.uri,
        "settings": config.model_dump(mode="json"),
        "seed": seed,
    }
    facts = launch(FUNCTION, arguments, config, training, lambda told: _tell(told, progress))
    users, items = (
        named(index.sparkSession.read.parquet(f"{training.uri}/embeddings/{kind}s"), index, kind)
        for kind, index in (("user", inputs.user_index), ("item", inputs.item_index))
    )
    return Trained(users, items, facts)


def _identity(digest: str, config: TwoTowerConfig, seed: int) -> str:
    """Names the trainings that one may go on from another's checkpoints: same data, settings and seed.

    How and where the ranks run does not count: a training that was killed may go on with more ranks.
    """
    told = {"data": digest, "seed": seed, "settings": config.model_dump(mode="json", exclude=TrainingConfig.PLACE)}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _tell(told: dict[str, Any], progress: Callable[[str], None]) -> None:
    if told["kind"] == "epoch":
        figure = "" if told["validation"] is None else f", recall of held-out pairs {told['validation']:.4f}"
        progress(f"epoch {told['epoch'] + 1}: loss {told['loss']:.4f}{figure}")
    elif told["kind"] == "message":
        progress(told["text"])
