"""How many bytes a rank needs, told from the snapshot's sizes before anything is loaded."""

from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.models.two_tower.tensors import Columns
from shoprec.training.memory import PROCESS
from shoprec.training.reader import Snapshot

#: What makes a rank smaller.
ADVICE = (
    "set ranks or hosts (samples, users), width, most_words or user_buckets (tables), batch or negatives (step and "
    "exchange), recent (users), or rank_memory_gib where more is allowed"
)


def bytes_needed(snapshot: Snapshot, columns: Columns, config: TwoTowerConfig, ranks: int) -> dict[str, int]:
    """What takes memory on one rank -> bytes, at most."""
    shape, samples = columns.shape, -(-snapshot.rows("samples") // ranks)
    rows = shape.item_rows + shape.user_word_rows
    users = min(-(-columns.users // ranks), samples) + config.validation_users
    own_batch, width = config.batch // ranks, config.width
    user = 4 * (shape.user_numeric + max(len(columns.user_words), 1) + 2 * config.recent)
    item = 4 * (1 + len(columns.item_words) + shape.item_numeric) + 8 + 4 + 8
    # A step's logits, their exponentials and gradients; each sample's and negative's features and embeddings.
    step = 4 * (4 * own_batch * config.negatives + own_batch * (2 * user // 4 + 8 * width + 2 * config.hidden))
    step += 4 * (own_batch + config.negatives) * (2 * shape.text_width + (len(columns.item_words) + 8) * width)
    # What a step exchanges: the rows of both tables that it touched, with those of all ranks, and once more added up.
    touched = min((own_batch + config.negatives) * (1 + len(columns.item_words)), shape.item_rows)
    touched += min(own_batch * max(len(columns.user_words), 1), shape.user_word_rows)
    return {
        "process": PROCESS,
        # Users, items and weights, and the order of an epoch while it is drawn.
        "samples": samples * (8 + 8 + 4 + 16),
        "users": users * user,
        "items": shape.items * item + 4 * shape.text_width * (snapshot.rows("texts") + 1),
        # Parameters and row-wise state; once more while a checkpoint is written.
        "tables": 2 * 4 * rows * (width + 1),
        "step": step,
        "exchange": 4 * (1 + 2 * ranks) * touched * (width + 2) if ranks > 1 else 0,
    }
