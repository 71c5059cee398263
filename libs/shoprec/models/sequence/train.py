"""One rank's training of the sequence model: load, train, export; what the launcher calls on every rank."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from shoprec.errors import ShoprecError
from shoprec.models.sequence.config import SequenceConfig
from shoprec.models.sequence.model import NOTHING, Histories
from shoprec.models.sequence.task import (
    ITEMS_AT_A_TIME,
    PLACES_AT_A_TIME,
    Data,
    HeldOut,
    Sequence,
    SequenceTask,
    Texts,
    at_a_time,
)
from shoprec.training.lanes import Lanes, bounds
from shoprec.training.memory import PROCESS
from shoprec.training.rank import Parts, train_and_export
from shoprec.training.reader import Snapshot, column, padded
from shoprec.training.reports import Report
from shoprec.training.softmax import AT_A_TIME
from shoprec.training.storage import Folder
from shoprec.training.texts import load_texts, text_width
from shoprec.training.vectors import write_vectors
from shoprec.training.worker import Rank

_ADVICE = (
    "set ranks (histories), width (table), length, batch or full_softmax_items (step), or rank_memory_gib where more "
    "is allowed"
)


def train_sequence(rank: Rank, arguments: dict[str, Any]) -> dict[str, Any]:
    """``training.rank.train_and_export`` of the reader; ``arguments['settings']`` are of SequenceConfig."""
    config, group, seed = SequenceConfig(**arguments["settings"]), rank.collectives, arguments["seed"]

    def load(snapshot: Snapshot, lanes: Lanes) -> SequenceTask:
        return load_task(snapshot, config, lanes, rank.device, seed, group.rank)

    def export(task: SequenceTask, snapshot: Snapshot, out: Folder, often: Report) -> None:
        task.model.eval()
        _export_users(task, snapshot, config, rank, out, often)
        _export_items(task, snapshot, rank, out, often)

    parts = Parts(lambda snapshot: bytes_needed(snapshot, config, group.size), _ADVICE, load, export)
    return train_and_export(rank, arguments, config, parts)


def load_task(
    snapshot: Snapshot, config: SequenceConfig, lanes: Lanes, device: torch.device, seed: int, part: int
) -> SequenceTask:
    """The model, untrained, with the histories of the rank whose ``lanes`` these are."""
    length, items = config.length, snapshot.manifest.facts["items"]
    own = list(_histories(snapshot, "samples", length + 1, lanes.first, lanes.last, device))
    text, log_q = np.full(items, -1, np.int64), np.full(items, np.nan, np.float32)
    for batch in snapshot.batches("items"):
        ids = column(batch, "item_idx", np.int64)
        text[ids], log_q[ids] = column(batch, "text_idx", np.int64), column(batch, "log_q", np.float32)
    if np.isnan(log_q).any():
        raise ShoprecError(f"the snapshot lacks {np.isnan(log_q).sum():,} of {items:,} items: run the job again")
    width = text_width(snapshot)
    texts = Texts(*(torch.from_numpy(array).to(device) for array in load_texts(snapshot, text, width)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Sequence(items, width, config).to(device)
    data = Data(
        _together([one for _, one, _ in own], length + 1, device), texts, log_q, _held_out(snapshot, length, device)
    )
    return SequenceTask(model, data, config, seed, part)


def bytes_needed(snapshot: Snapshot, config: SequenceConfig, ranks: int) -> dict[str, int]:
    """What takes memory on one rank -> bytes, at most."""
    items, width, text = snapshot.manifest.facts["items"], config.width, text_width(snapshot)
    users, sampled = config.batch // ranks, items > config.full_softmax_items
    learnt, scored = users * config.length, users * config.length + config.negatives if sampled else items
    # What the layers keep for their gradients; attention also how much each place looks at each other one.
    layer = 16 * width + (3 * config.heads * config.length if config.reader == "transformer" else 0)
    block, logits = min(items, ITEMS_AT_A_TIME), learnt * config.negatives if sampled else AT_A_TIME * items
    return {
        "process": PROCESS,
        # Twice while they are laid together.
        "histories": 2 * -(-snapshot.rows("samples") // ranks) * (config.length + 1) * (4 + 4),
        "texts": 4 * (text * (snapshot.rows("texts") + 1) + 2 * items),
        # Parameters and state (AdamW's is twice the table); once more while a checkpoint is written.
        "table": 4 * items * (width + 1) * (4 if sampled else 8),
        # Logits, their exponentials and gradients, of all items for a block of places; texts and vectors of what is
        # scored.
        "step": 4 * (3 * logits + scored * (2 * text + 4 * width)),
        "layers": 4 * learnt * (config.layers * layer + 8 * width),
        "validation": 4
        * (PLACES_AT_A_TIME * (layer + 8 * width) + at_a_time(config) * 2 * block + block * (text + width)),
    }


def _histories(
    snapshot: Snapshot, table: str, length: int, first: int, last: int | None, device: torch.device
) -> Iterator[tuple[np.ndarray, Histories, pa.RecordBatch]]:
    """user_idx, the histories, the latest item last, and the batch itself."""
    for batch in snapshot.batches(table, None, first, last):
        item, days = (
            _last(padded(batch, name, length, empty, kind), batch.column(name).value_lengths())
            for name, empty, kind in (("items", NOTHING, np.int32), ("days", 0, np.float32))
        )
        tensors = (torch.from_numpy(array).to(device) for array in (item, days))
        yield column(batch, "user_idx", np.int64), Histories(*tensors), batch


def _last(rows: np.ndarray, lengths: pa.Array) -> np.ndarray:
    """The rows with what fills them up before what they hold."""
    places = np.arange(rows.shape[1]) + lengths.to_numpy(zero_copy_only=False)[:, None]
    return np.take_along_axis(rows, places % rows.shape[1], axis=1)


def _together(parts: list[Histories], length: int, device: torch.device) -> Histories:
    if not parts:  # one that foretells nothing, for a rank without samples
        parts = [Histories(
            torch.full((1, length), NOTHING, dtype=torch.int32, device=device), torch.zeros(1, length, device=device)
        )]  # fmt: skip
    return Histories(torch.cat([part.item_BL for part in parts]), torch.cat([part.days_BL for part in parts]))


def _held_out(snapshot: Snapshot, length: int, device: torch.device) -> HeldOut | None:
    """The validation table, whole, on every rank: its size is bounded by the settings. None where it is empty."""
    parts = list(_histories(snapshot, "validation", length, 0, None, device))
    if not parts:
        return None
    follows = np.concatenate([column(batch, "next", np.int64) for _, _, batch in parts])
    histories = _together([one for _, one, _ in parts], length, device)
    return HeldOut(Histories(histories.item_BL.long(), histories.days_BL), torch.from_numpy(follows).to(device))


def _export_users(
    task: SequenceTask, snapshot: Snapshot, config: SequenceConfig, rank: Rank, out: Folder, often: Report
) -> None:
    """The embeddings of this rank's share of users."""
    part = f"users/part-{rank.collectives.rank:05d}"
    first, last = bounds(snapshot.rows("users"), rank.collectives.rank, rank.collectives.size)
    for number, (ids, every, _) in enumerate(_histories(snapshot, "users", config.length, first, last, rank.device)):
        read, some = [], at_a_time(config)
        for item_BL, days_BL in zip(every.item_BL.split(some), every.days_BL.split(some), strict=True):
            often({"kind": "write"})
            read.append(task.read(Histories(item_BL.long(), days_BL))[:, -1])
        write_vectors(out, f"{part}-{number:05d}.parquet", "user_idx", ids, torch.cat(read))


def _export_items(task: SequenceTask, snapshot: Snapshot, rank: Rank, out: Folder, often: Report) -> None:
    """The embeddings of this rank's share of items."""
    part, items = f"items/part-{rank.collectives.rank:05d}", snapshot.manifest.facts["items"]
    first, last = bounds(items, rank.collectives.rank, rank.collectives.size)
    for number, low in enumerate(range(first, last, ITEMS_AT_A_TIME)):
        often({"kind": "write"})
        high = min(low + ITEMS_AT_A_TIME, last)
        write_vectors(out, f"{part}-{number:05d}.parquet", "item_idx", np.arange(low, high), task.items(low, high))
