"""From gold tables to embeddings: snapshot by Spark, training by the launcher that is set, embeddings read back."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame

from shoprec.errors import ConfigError
from shoprec.models.embeddings import named
from shoprec.training.config import TrainingConfig
from shoprec.training.launch import launch
from shoprec.training.snapshot import Plan, write_snapshot
from shoprec.training.storage import Folder


@dataclass(frozen=True)
class Trained:
    """What a training gave: (user_id, vector), (item_id, vector), and facts with the weights' SHA-256."""

    users: DataFrame
    items: DataFrame
    facts: dict[str, Any]


@dataclass(frozen=True)
class Places:
    """Where a training keeps what.

    :ivar training: the snapshot, checkpoints, and the ranks' embeddings, which the frames of ``Trained`` read
    :ivar model: the weights
    """

    training: Folder
    model: Folder


def trained(
    function: str,
    plan: Plan,
    index: tuple[DataFrame, DataFrame],
    config: TrainingConfig,
    places: Places,
    seed: int,
    progress: Callable[[str], None],
) -> Trained:
    """Train on a snapshot.

    :param function: by the name that every rank finds it
    :param plan: its table ``samples`` is what steps are made of
    :param index: user_index and item_index
    :param progress: told, in words, how far it is
    :raises ConfigError: there is no sample
    :raises ShoprecError: the training failed
    """
    training = places.training
    manifest = write_snapshot(plan, training.below("snapshot"))
    if not manifest.tables["samples"].rows:
        raise ConfigError(
            "there is nothing to learn from: no user has enough purchases before the as-of date — choose a later "
            "--as-of, or leave the model's source out of candidates.sources"
        )
    progress(f"snapshot of {manifest.tables['samples'].rows:,} samples; training on {config.ranks} ranks")
    arguments = {
        "snapshot": training.below("snapshot").uri,
        "checkpoints": training.below(f"checkpoints/{_identity(manifest.digest, config, seed)}").uri,
        "embeddings": training.below("embeddings").uri,
        "model": places.model.uri,
        "settings": config.model_dump(mode="json"),
        "seed": seed,
    }
    facts = launch(function, arguments, config, training, lambda told: _tell(told, progress))
    users, items = (
        named(own.sparkSession.read.parquet(f"{training.uri}/embeddings/{kind}s"), own, kind)
        for kind, own in zip(("user", "item"), index, strict=True)
    )
    return Trained(users, items, facts)


def _identity(digest: str, config: TrainingConfig, seed: int) -> str:
    """Names the trainings that one may go on from another's checkpoints: same data, settings and seed.

    How and where the ranks run does not count: a training that was killed may go on with more ranks.
    """
    told = {"data": digest, "seed": seed, "settings": config.model_dump(mode="json", exclude=TrainingConfig.PLACE)}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _tell(told: dict[str, Any], progress: Callable[[str], None]) -> None:
    if told["kind"] == "epoch":
        figure = "" if told["validation"] is None else f", of held-out pairs found {told['validation']:.4f}"
        progress(f"epoch {told['epoch'] + 1}: loss {told['loss']:.4f}{figure}")
    elif told["kind"] == "message":
        progress(told["text"])
