"""Every source of candidates, ready to propose to the planted shop: a new model adds an entry here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from shoprec.models.als import model as als
from shoprec.models.als.config import AlsConfig
from shoprec.models.co_visit import model as co_visit
from shoprec.models.content import model as content
from shoprec.models.content.config import ContentConfig
from shoprec.models.item_knn import model as item_knn
from shoprec.models.item_knn.config import ItemNeighboursConfig
from shoprec.models.linear import model as linear
from shoprec.models.linear.config import LinearSettings
from shoprec.models.sequence.config import SequenceConfig
from shoprec.models.sequence.data import Inputs as SequenceInputs
from shoprec.models.sequence.fit import fit as fit_sequence
from shoprec.models.sources import KNOWN, CandidatesConfig, Drawn, Source
from shoprec.models.spectral import model as spectral
from shoprec.models.spectral.config import SpectralConfig
from shoprec.models.trained import Places
from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.models.two_tower.data import Inputs as TowerInputs
from shoprec.models.two_tower.fit import fit as fit_towers
from shoprec.retrieval.co_visits import CoVisitSettings
from shoprec.training.storage import Folder
from tests.contracts.planted import ITEMS, Planted, kind

#: What a model fits: name of the table -> rows. Lists fit nothing.
Fitted = dict[str, DataFrame]


@dataclass(frozen=True)
class Maker:
    """One source. ``fit`` gives what it draws on; ``learns`` says whether its lists follow the planted tastes."""

    name: str
    fit: Callable[[Planted, Path], Fitted] = lambda shop, folder: {}
    learns: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def only_bought(self) -> bool:
        """Whether it knows nothing but what was bought before."""
        return KNOWN[self.name].get("new") == 0

    def source(self, new: int, bought: int) -> Source:
        """Its settings with these quotas."""
        told = {"new": 0 if self.only_bought else new, "bought": bought, "options": self.options}
        return CandidatesConfig(sources={self.name: told}).sources[self.name]


def drawn(fitted: Fitted) -> Drawn:
    """The fitted rows, where sources look for them."""
    return Drawn(lambda model: (fitted["users"], fitted["items"]), lambda kind: fitted["neighbours"])


def _als(shop: Planted, folder: Path) -> Fitted:
    config = AlsConfig(rank=6, iterations=8)
    users, items = als.fit(shop.samples, shop.user_index, shop.item_index, config, Folder(str(folder)), seed=5)
    return {"users": users, "items": items}


def _spectral(shop: Planted, folder: Path) -> Fitted:
    config = SpectralConfig(rank=3, oversampling=ITEMS, passes=2, popularity=0.0, blocks=2)
    with spectral.fitted(shop.samples, shop.user_index, shop.item_index, config, 5) as sides:
        users, items = (side.localCheckpoint() for side in sides)
    return {"users": users, "items": items}


def _two_tower(shop: Planted, folder: Path) -> Fitted:
    spark, users, items = shop.spark, shop.user_index, shop.item_index
    inputs = TowerInputs(
        samples=shop.samples,
        user_index=users,
        item_index=items,
        user_profiles=users.select("user_id", F.lit(1.0).alias("spend"), F.lit("x").alias("stage")),
        item_features=items.select(
            "item_id", F.lit(1.0).alias("lines"), F.lit("d").alias("department"), F.lit("t").alias("text_hash")
        ),
        text_embeddings=spark.createDataFrame(
            [("e", "t", [1.0, 0.0])], "encoder string, text_hash string, vector array<float>"
        ),
    )
    config = TwoTowerConfig(
        launcher="in_process", ranks=1, width=8, hidden=16, negatives=16, lanes=4, batch=64, epochs=40, patience=40,
        recent=8, temperature=0.2, learning_rate=0.01, validation_users=24, validation_k=5, user_words=("stage",),
        item_words=("department",), user_numeric=("spend",), item_numeric=("lines",), snapshot_files=2,
    )  # fmt: skip
    places = Places(*(Folder(str(folder / name)) for name in ("training", "model")))
    trained = fit_towers(inputs, config, places, 5, lambda _: None)
    return {"users": trained.users, "items": trained.items}


def _sequence(shop: Planted, folder: Path) -> Fitted:
    text = "encoder string, text_hash string, vector array<float>"
    inputs = SequenceInputs(
        purchases=shop.purchases,
        user_index=shop.user_index,
        item_index=shop.item_index,
        item_features=shop.item_index.select("item_id", F.lit(None).cast("string").alias("text_hash")),
        text_embeddings=shop.spark.createDataFrame([], text),
    )
    config = SequenceConfig(
        launcher="in_process", ranks=1, lanes=4, batch=16, epochs=30, patience=30, width=16, layers=1, heads=2,
        dropout=0.2, length=20, learning_rate=0.01, validation_users=0,
    )  # fmt: skip
    trained = fit_sequence(inputs, config, Places(Folder(f"{folder}/training"), Folder(f"{folder}/model")), 5, print)
    return {"users": trained.users, "items": trained.items}


def _content(shop: Planted, folder: Path) -> Fitted:
    """The texts of each kind of items lie about an axis of their own."""
    ids, texts = [f"i{item:03d}" for item in range(ITEMS)], np.full((ITEMS, 3), 0.3)
    texts[np.arange(ITEMS), [kind(item) for item in range(ITEMS)]] = 1.0
    texts += np.random.default_rng(2).normal(0, 0.1, texts.shape)
    unit = (texts / np.linalg.norm(texts, axis=1, keepdims=True)).tolist()
    said = shop.spark.createDataFrame(list(zip(ids, ids, strict=True)), "item_id string, text_hash string")
    rows = [("e", item, vector) for item, vector in zip(ids, unit, strict=True)]
    vectors = shop.spark.createDataFrame(rows, "encoder string, text_hash string, vector array<float>")
    made = content.fitted(shop.purchases, shop.item_index, said, vectors, ContentConfig(), 48)
    return dict(zip(("users", "items"), made, strict=True))


def _similar(shop: Planted, folder: Path) -> Fitted:
    config = ItemNeighboursConfig()
    return {"neighbours": item_knn.similar(shop.purchases, shop.inputs.items, config)}


def _bought_together(shop: Planted, folder: Path) -> Fitted:
    config = ItemNeighboursConfig()
    return {"neighbours": item_knn.bought_together(shop.purchases, shop.inputs.items, config)}


def _co_visit(shop: Planted, folder: Path) -> Fitted:
    return {"neighbours": co_visit.followed(shop.purchases, shop.inputs.items, CoVisitSettings())}


def _linear(shop: Planted, folder: Path) -> Fitted:
    return {"neighbours": linear.foretold(shop.purchases, shop.inputs.items, LinearSettings(regularisation=5.0))}


MAKERS = (
    Maker("als", _als, learns=True),
    Maker("spectral", _spectral, learns=True),
    Maker("two_tower", _two_tower, learns=True),
    Maker("sequence", _sequence, learns=True),
    Maker("content", _content, learns=True),
    Maker("item_knn", _similar, learns=True),
    Maker("bought_together", _bought_together, learns=True),
    Maker("co_visit", _co_visit, learns=True),
    Maker("linear", _linear, learns=True),
    Maker("popular"),
    # A shop of 48 households: what rises is told from noise by few lines.
    Maker("trending", options={"shrink": 1.0}),
    Maker("buy_again"),
)
