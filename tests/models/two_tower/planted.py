"""A shop with a planted answer: users of two tastes, items of two kinds; each user chose most items of one kind."""

import numpy as np
from pyspark.sql import SparkSession

from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.models.two_tower.data import Inputs

USERS, ITEMS, TEXTS = 60, 40, 8

#: Small and quick; one rank in the test's own process.
SMALL = {
    "launcher": "in_process",
    "ranks": 1,
    "width": 8,
    "hidden": 16,
    "negatives": 16,
    "lanes": 4,
    "batch": 64,
    "epochs": 6,
    "patience": 6,
    "recent": 6,
    "temperature": 0.2,
    "learning_rate": 0.01,
    "validation_users": 30,
    "validation_k": 5,
    "user_words": ("stage",),
    "item_words": ("department",),
    "user_numeric": ("spend", "baskets"),
    "item_numeric": ("lines",),
    "snapshot_files": 3,
}


def small(**settings) -> TwoTowerConfig:
    """The small settings with some changed."""
    return TwoTowerConfig(**{**SMALL, **settings})


def kind(number: int) -> int:
    """The kind of an item, the taste of a user."""
    return number % 2


def chosen() -> list[tuple[int, int]]:
    """The (user_idx, item_idx) pairs: two thirds of the items of the user's taste."""
    pairs = np.random.default_rng(7).random((USERS, ITEMS)) < 2 / 3
    return [(u, i) for u in range(USERS) for i in range(ITEMS) if kind(u) == kind(i) and pairs[u, i]]


def planted(spark: SparkSession) -> Inputs:
    """The gold tables of the shop. The tastes show in the samples alone, not in profiles or features."""
    samples = [(u, i, 1.0 + (u + i) % 3, 1.0, float((3 * u + 5 * i) % 50)) for u, i in chosen()]
    vectors = np.random.default_rng(8).standard_normal((TEXTS, 6)).tolist()
    return Inputs(
        samples=spark.createDataFrame(
            samples, "user_idx int, item_idx int, weight float, importance float, age_days float"
        ),
        user_index=spark.createDataFrame([(f"u{n:03d}", n) for n in range(USERS)], "user_id string, user_idx int"),
        item_index=spark.createDataFrame(
            [(f"i{n:03d}", n, float(np.log(1 / ITEMS))) for n in range(ITEMS)],
            "item_id string, item_idx int, log_q float",
        ),
        user_profiles=spark.createDataFrame(
            [(f"u{n:03d}", float(n % 7), n % 5, ("new", "active", None)[n % 3]) for n in range(USERS)],
            "user_id string, spend double, baskets long, stage string",
        ),
        item_features=spark.createDataFrame(
            [(f"i{n:03d}", n % 11, f"d{n // 10}", f"text{n % TEXTS}" if n % 9 else None) for n in range(ITEMS)],
            "item_id string, lines long, department string, text_hash string",
        ),
        text_embeddings=spark.createDataFrame(
            [("minilm", f"text{n}", vectors[n]) for n in range(TEXTS)],
            "encoder string, text_hash string, vector array<float>",
        ),
    )
