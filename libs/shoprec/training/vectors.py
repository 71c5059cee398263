"""Embeddings on their way from a rank to Spark: Parquet files of numbers and vectors."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from shoprec import arrow
from shoprec.training.storage import Folder


def write_vectors(out: Folder, name: str, key: str, ids: np.ndarray, vectors: torch.Tensor) -> None:
    """One file.

    :param key: column of the numbers ``ids``; the vectors stand in ``vector``
    """
    columns = {key: pa.array(ids.astype(np.int32)), "vector": arrow.vectors(vectors.float().cpu().numpy())}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    out.write(name, sink.getvalue().to_pybytes())
