"""How many blocks the rows of a factorisation are dealt to, and what a block's task may receive."""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from shoprec import arrow

#: Entries fewer than which another block is not worth its reading of the vectors.
LEAST_IN_BLOCK = 128 << 10


def of_one_block(block: int, column: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches, once it is seen that they hold rows of this block alone."""
    for batch in batches:
        found = np.unique(arrow.numbers(batch, column))
        if found.tolist() != [block]:
            raise RuntimeError(f"rows of blocks {found[:5]} came to the task of block {block}")
        yield batch


def blocks_for(entries: int, most: int, parallel: int) -> int:
    """Blocks of either side: as many as work at a time, if that is worth it, or, to hold no more, a multiple."""
    if entries <= most * parallel:
        return max(1, min(parallel, math.ceil(entries / LEAST_IN_BLOCK)))
    return parallel * math.ceil(entries / (most * parallel))
