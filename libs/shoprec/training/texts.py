"""The texts of items as a rank reads them from a snapshot: each vector once, however many items share it."""

import numpy as np
import numpy.typing as npt

from shoprec.training.reader import Snapshot, column, padded


def text_width(snapshot: Snapshot) -> int:
    """The width of the snapshot's text vectors; 0: it has none."""
    first = next(snapshot.batches("texts", ["vector"], 0, 1), None)
    return len(first.column("vector")[0]) if first is not None else 0


def load_texts(
    snapshot: Snapshot, text: npt.NDArray[np.int64], width: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """(row of the texts of each item, texts [texts + 1, width]), the last one zeros, for items without.

    :param text: text_idx of each item, -1 for none
    """
    numbers, vectors = [np.zeros(0, np.int64)], [np.zeros((0, width), np.float32)]
    for batch in snapshot.batches("texts"):
        numbers.append(column(batch, "text_idx", np.int64))
        vectors.append(padded(batch, "vector", width, 0, np.float32))
    known = np.concatenate(numbers)
    order = np.argsort(known)
    place = np.searchsorted(known[order], text)
    place[text < 0] = len(known)
    return place, np.concatenate([np.concatenate(vectors)[order], np.zeros((1, width), np.float32)])
