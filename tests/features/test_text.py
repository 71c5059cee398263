"""Text embeddings: each text once, of unit length, the same in any company (but for rounding)."""

import hashlib

import numpy as np
import pytest

from shoprec.contracts.gold_features import TEXT_WIDTH
from shoprec.features import text
from shoprec.features.config import TextSettings
from shoprec.features.text import chosen, encoder, text_embeddings, unknown_texts

TEXTS = ["grocery milk whole", "grocery milk skimmed", "grocery milk whole", "drug shampoo", "", None]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def catalogue(spark):
    return spark.createDataFrame([(f"i{n}", t) for n, t in enumerate(TEXTS)], "item_id string, text string")


def nothing(spark):
    return spark.createDataFrame([], "encoder string, text_hash string, vector array<float>")


def test_each_distinct_text_once_and_no_empty_one(spark):
    found = unknown_texts(catalogue(spark), nothing(spark), "hashed").collect()
    assert sorted(r["text"] for r in found) == sorted({t for t in TEXTS if t})
    assert all(r["text_hash"] == digest(r["text"]) for r in found)


def test_what_is_known_is_not_encoded_again(spark):
    settings = TextSettings(encoder="hashed", tasks=2)
    first = text_embeddings(unknown_texts(catalogue(spark), nothing(spark), "hashed"), settings)
    known = spark.createDataFrame(first.toArrow(), first.schema)
    assert known.count() == 3
    assert unknown_texts(catalogue(spark), known, "hashed").collect() == []
    more = catalogue(spark).union(spark.createDataFrame([("new", "toys ball")], "item_id string, text string"))
    assert [r["text"] for r in unknown_texts(more, known, "hashed").collect()] == ["toys ball"]
    # Another encoder knows none of them.
    assert unknown_texts(catalogue(spark), known, "minilm").count() == 3


def test_hashed_vectors_are_of_unit_length_and_near_for_shared_words(spark):
    settings = TextSettings(encoder="hashed", tasks=2)
    rows = text_embeddings(unknown_texts(catalogue(spark), nothing(spark), "hashed"), settings).collect()
    vectors = {r["text_hash"]: np.array(r["vector"]) for r in rows}
    assert {len(v) for v in vectors.values()} == {TEXT_WIDTH}
    assert [float(np.linalg.norm(v)) for v in vectors.values()] == pytest.approx([1, 1, 1], abs=1e-6)
    whole, skimmed, shampoo = (
        vectors[digest(t)] for t in ("grocery milk whole", "grocery milk skimmed", "drug shampoo")
    )
    # Two of three words are shared, with equal weights.
    assert whole @ skimmed == pytest.approx(2 / 3, abs=1e-6)
    assert whole @ shampoo == pytest.approx(0, abs=1e-6)


def test_a_text_without_a_word_is_a_zero_vector():
    assert not encoder("hashed", 1, 8)(["& !"]).any()


@pytest.mark.parametrize(("name", "apart"), [("minilm", 1e-5), ("minilm_bf16", 3e-3)])
def test_the_pretrained_encoder_understands_and_is_of_unit_length(name, apart):
    encode = encoder(name, 1, 2)
    vectors = encode(["whole milk", "skimmed milk", "motor oil for cars"])
    assert vectors.shape == (3, TEXT_WIDTH)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    # The same text in another company (batch, padding) has the same vector.
    alone = encode(["whole milk"])
    assert alone[0] == pytest.approx(vectors[0], abs=apart)


def test_half_the_precision_gives_nearly_the_same_vectors():
    whole, half = (encoder(name, 1, 2)(["whole milk", "motor oil for cars"]) for name in ("minilm", "minilm_bf16"))
    assert not np.array_equal(whole, half)
    assert ((whole * half).sum(axis=1) > 0.999).all()


@pytest.mark.parametrize(
    ("able", "encoder"), [("flags: avx512f amx_bf16 amx_tile", "minilm_bf16"), ("flags: avx2 not_amx_bf16", "minilm")]
)
def test_the_fastest_encoder_is_that_of_the_processor(able, encoder, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(able)
    monkeypatch.setattr(text, "PROCESSOR", tmp_path / "cpuinfo")
    assert (chosen("fastest_minilm"), chosen("minilm")) == (encoder, "minilm")
