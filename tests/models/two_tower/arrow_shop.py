"""The planted shop as a training snapshot made by Arrow alone, for tests of what ranks do."""

import numpy as np
import pyarrow as pa

from shoprec.training.encoding import Encoding, Numeric, Words
from shoprec.training.storage import Folder
from tests.models.two_tower.planted import ITEMS, TEXTS, USERS, chosen, small
from tests.training.arrow_snapshot import write_tables

RECENT = small().recent


def snapshot(folder: Folder) -> None:
    """Samples in a random order, users with recent items, items with words, numbers and texts; a tenth held out."""
    rng = np.random.default_rng(3)
    pairs = rng.permutation(np.array(chosen()))
    held = rng.random(len(pairs)) < 0.1
    train = pairs[~held]
    recent = [train[train[:, 0] == user, 1][:RECENT].tolist() for user in range(USERS)]
    with_held = np.unique(pairs[held, 0])
    text = np.where(np.arange(ITEMS) % 9 == 0, -1, np.arange(ITEMS) % TEXTS + 1)
    tables = {
        "samples": pa.table(
            {
                "user_idx": train[:, 0].astype(np.int32),
                "item_idx": train[:, 1].astype(np.int32),
                "weight": (rng.random(len(train)) + 0.5).astype(np.float32),
            }
        ),
        "users": pa.table(
            {
                "user_idx": rng.permutation(USERS).astype(np.int32),
                "n_spend": rng.standard_normal(USERS).astype(np.float32),
                "w_stage": (np.arange(USERS) % 3).astype(np.int32),
            }
        ),
        "items": pa.table(
            {
                "item_idx": np.arange(ITEMS, dtype=np.int32),
                "n_lines": rng.standard_normal(ITEMS).astype(np.float32),
                "w_department": (np.arange(ITEMS) // 10).astype(np.int32),
                "text_idx": text.astype(np.int32),
                "log_q": np.full(ITEMS, np.log(1 / ITEMS), np.float32),
            }
        ),
        "texts": pa.table(
            {
                "text_idx": np.arange(1, TEXTS + 1, dtype=np.int32),
                "vector": pa.array(rng.standard_normal((TEXTS, 6)).tolist(), pa.list_(pa.float32())),
            }
        ),
        "validation": pa.table(
            {
                "user_idx": with_held.astype(np.int32),
                "held": [pairs[held & (pairs[:, 0] == user), 1].tolist() for user in with_held],
                "seen": [train[train[:, 0] == user, 1].tolist() for user in with_held],
            }
        ),
    }
    users = tables["users"]["user_idx"].to_pylist()
    tables["users"] = tables["users"].append_column("recent", pa.array([recent[user] for user in users]))
    weights = pa.array([[0.9**n for n in range(len(recent[user]))] for user in users], pa.list_(pa.float32()))
    tables["users"] = tables["users"].append_column("recent_weight", weights)
    user = Encoding((Numeric("spend", False, 0.0, 1.0),), (Words("stage", ("active", "new")),))
    item = Encoding((Numeric("lines", False, 0.0, 1.0),), (Words("department", ("d0", "d1", "d2")),))
    facts = {"users": USERS, "items": ITEMS, "user_buckets": 0}
    write_tables(folder, tables, facts | {"user_encoding": user.facts(), "item_encoding": item.facts()}, group=100)


def arguments(folder: Folder, **settings) -> dict:
    """What train_two_tower is given, with everything below ``folder``."""
    places = {name: folder.below(name).uri for name in ("snapshot", "checkpoints", "embeddings", "model")}
    return {**places, "settings": small(**settings).model_dump(mode="json"), "seed": 11}
