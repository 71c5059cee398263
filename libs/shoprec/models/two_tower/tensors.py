"""The snapshot's tables as tensors of one rank.

Shapes: U users, I items, W columns of words, N numeric columns, R recent items, X texts, T width of texts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from shoprec.errors import ShoprecError
from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.models.two_tower.model import Shape, UserBatch
from shoprec.training.encoding import Encoding
from shoprec.training.reader import Snapshot, column, matrix, padded
from shoprec.training.texts import load_texts, text_width


@dataclass(frozen=True)
class Columns:
    """Which columns of the snapshot the towers read, and where the rows of each column of words begin in a table."""

    users: int
    items: int
    user_numeric: list[str]
    user_words: dict[str, int]  #: column -> rows
    item_numeric: list[str]
    item_words: dict[str, int]
    text_width: int

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Columns":
        """The columns that the snapshot's facts name."""
        facts = snapshot.manifest.facts
        user, item = Encoding.of(facts["user_encoding"]), Encoding.of(facts["item_encoding"])
        buckets = {"w_user_bucket": facts["user_buckets"]} if facts["user_buckets"] else {}
        width = text_width(snapshot)
        return cls(
            facts["users"],
            facts["items"],
            user.numeric_names,
            buckets | user.word_sizes,
            item.numeric_names,
            item.word_sizes,
            width,
        )

    @property
    def shape(self) -> Shape:
        """The sizes of the model; what a snapshot lacks is one column or row of zeros."""
        return Shape(
            self.items,
            sum(self.item_words.values()),
            max(len(self.item_numeric), 1),
            max(self.text_width, 1),
            max(sum(self.user_words.values()), 1),
            max(len(self.user_numeric), 1),
        )


@dataclass(frozen=True)
class Items:
    """All items, on every rank."""

    rows_IW: torch.Tensor  #: rows of the item table: the id, then words; int32
    numeric_IN: torch.Tensor
    text_I: torch.Tensor  #: row of texts_XT; int64
    texts_XT: torch.Tensor  #: the last row is zeros, for items without text
    log_q_I: np.ndarray

    def of(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What the item tower reads of the items ``ids``."""
        return self.rows_IW[ids], self.numeric_IN[ids], self.texts_XT[self.text_I[ids]]


def load_items(snapshot: Snapshot, columns: Columns, device: torch.device) -> Items:
    """All items of the snapshot. Raises ShoprecError where one is missing."""
    count, words = columns.items, columns.item_words
    rows = np.zeros((count, 1 + len(words)), np.int32)
    numeric = np.zeros((count, columns.shape.item_numeric), np.float32)
    text, log_q = np.full(count, -1, np.int64), np.full(count, np.nan, np.float32)
    for batch in snapshot.batches("items"):
        ids = column(batch, "item_idx", np.int64)
        rows[ids, 1:] = matrix(batch, list(words), np.int32) + _starts(words, count)
        numeric[ids, : len(columns.item_numeric)] = matrix(batch, columns.item_numeric, np.float32)
        text[ids] = column(batch, "text_idx", np.int64)
        log_q[ids] = column(batch, "log_q", np.float32)
    if np.isnan(log_q).any():
        raise ShoprecError(f"the snapshot lacks {np.isnan(log_q).sum():,} of {count:,} items: run the job again")
    rows[:, 0] = np.arange(count)
    place, texts = load_texts(snapshot, text, columns.shape.text_width)
    tensors = (torch.from_numpy(array).to(device) for array in (rows, numeric, place, texts))
    return Items(*tensors, log_q)


@dataclass(frozen=True)
class Users:
    """Some users, each once: what the user tower reads of them."""

    ids_U: torch.Tensor  #: user_idx, rising
    known: UserBatch


def load_users(
    snapshot: Snapshot, columns: Columns, config: TwoTowerConfig, wanted: np.ndarray, device: torch.device
) -> Users:
    """The users ``wanted`` (rising user_idx), wherever in the snapshot they stand."""
    numeric = np.zeros((len(wanted), columns.shape.user_numeric), np.float32)
    words = np.zeros((len(wanted), max(len(columns.user_words), 1)), np.int32)
    recent = np.zeros((len(wanted), config.recent), np.int32)
    weight = np.zeros((len(wanted), config.recent), np.float32)
    found = np.zeros(len(wanted), bool)
    for batch in snapshot.batches("users"):
        ids = column(batch, "user_idx", np.int64)
        places = np.minimum(np.searchsorted(wanted, ids), max(len(wanted) - 1, 0))
        mine = np.flatnonzero(wanted[places] == ids) if len(wanted) else np.zeros(0, np.int64)
        arrays = user_arrays(batch.take(pa.array(mine)), columns, config)
        at = places[mine]
        found[at] = True
        for table, array in zip((numeric, words, recent, weight), arrays, strict=True):
            table[at] = array
    if not found.all():
        raise ShoprecError(f"the snapshot lacks {(~found).sum():,} users that its samples name: run the job again")
    tensors = [torch.from_numpy(table).to(device) for table in (numeric, words, recent, weight)]
    return Users(torch.from_numpy(wanted).to(device), UserBatch(*tensors))


def user_batches(
    snapshot: Snapshot, columns: Columns, config: TwoTowerConfig, first: int, last: int, device: torch.device
) -> Iterator[tuple[np.ndarray, UserBatch]]:
    """The rows [first, last) of the users, as (user_idx, what the tower reads)."""
    for batch in snapshot.batches("users", None, first, last):
        arrays = user_arrays(batch, columns, config)
        yield column(batch, "user_idx", np.int64), UserBatch(*(torch.from_numpy(a).to(device) for a in arrays))


def user_arrays(batch: pa.RecordBatch, columns: Columns, config: TwoTowerConfig) -> tuple[np.ndarray, ...]:
    """numeric_UN, words_UW, recent_UR and recent_weight_UR of a batch of the users."""
    numeric = np.zeros((batch.num_rows, columns.shape.user_numeric), np.float32)
    numeric[:, : len(columns.user_numeric)] = matrix(batch, columns.user_numeric, np.float32)
    words = np.zeros((batch.num_rows, max(len(columns.user_words), 1)), np.int32)
    words[:, : len(columns.user_words)] = matrix(batch, list(columns.user_words), np.int32)
    words[:, : len(columns.user_words)] += _starts(columns.user_words, 0)
    recent = padded(batch, "recent", config.recent, 0, np.int32)
    return numeric, words, recent, padded(batch, "recent_weight", config.recent, 0, np.float32)


def _starts(words: dict[str, int], first: int) -> np.ndarray:
    """Row of a table at which each column of words begins, the first at ``first``."""
    return (np.cumsum([0, *words.values()])[:-1] + first).astype(np.int32)
