"""Matches: the dot products of given pairs, against numpy."""

import numpy as np
import pyarrow as pa
import pytest
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, SparkSession

from shoprec.retrieval import matches as module
from shoprec.retrieval.matches import matches

WIDTHS = {"als": 5, "two_tower": 3}


def vectors(spark: SparkSession, kind: str, told: dict[str, dict[str, np.ndarray]]) -> DataFrame:
    rows = [(model, name, vector.tolist()) for model, by_name in told.items() for name, vector in by_name.items()]
    return spark.createDataFrame(rows, f"model string, {kind}_id string, vector array<float>")


def drawn(kind: str, count: int, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Vectors of ``count`` users or items; als does not know the first, two_tower not the last."""
    rng = np.random.default_rng(seed)
    made = {model: {f"{kind}{n}": rng.normal(size=width) for n in range(count)} for model, width in WIDTHS.items()}
    del made["als"][f"{kind}0"], made["two_tower"][f"{kind}{count - 1}"]
    return made


def test_every_pair_has_each_models_dot_product_once(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over several tasks; what a model has no vector of, and an item that none knows, is null."""
    monkeypatch.setattr(module, "USERS_PER_TASK", 3)
    users, items = drawn("u", 7, 1), drawn("i", 9, 2)
    pairs = sorted(
        {(f"u{u}", f"i{i}") for u in range(7) for i in range(9) if (u + i) % 3} | {("u1", "unheard"), ("ux", "i1")}
    )
    told = spark.createDataFrame([*pairs, *pairs[:20]], "user_id string, item_id string")
    known = vectors(spark, "user", users), vectors(spark, "item", items)
    rows = matches(told, *known, tuple(WIDTHS), 8).collect()
    assert sorted((row["user_id"], row["item_id"]) for row in rows) == pairs
    nulls = 0
    for row in rows:
        for model in WIDTHS:
            user, item = users[model].get(row["user_id"]), items[model].get(row["item_id"])
            if user is None or item is None:
                nulls += 1
                assert row[f"match_{model}"] is None
            else:
                assert row[f"match_{model}"] == pytest.approx(float(user @ item), rel=1e-5, abs=1e-5)
    assert 0 < nulls < len(rows)


def test_a_model_without_vectors_says_nothing(spark: SparkSession) -> None:
    told = spark.createDataFrame([("u1", "i1")], "user_id string, item_id string")
    users, items = (vectors(spark, kind, drawn(kind[0], 3, 3)) for kind in ("user", "item"))
    none = users.where("model = 'x'"), items.where("model = 'x'")
    assert [row.asDict() for row in matches(told, *none, ("als",), 1).collect()] == [
        {"user_id": "u1", "item_id": "i1", "match_als": None}
    ]


def test_without_models_the_pairs_are_left(spark: SparkSession) -> None:
    told = spark.createDataFrame([("u1", "i1"), ("u1", "i1")], "user_id string, item_id string")
    nothing = vectors(spark, "user", {"als": {"u1": np.ones(2)}}), vectors(spark, "item", {"als": {"i1": np.ones(2)}})
    assert [tuple(row) for row in matches(told, *nothing, (), 1).collect()] == [("u1", "i1")]


def test_many_pairs_are_multiplied_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 7)
    rng = np.random.default_rng(5)
    users, items = rng.normal(size=(4, 6)).astype(np.float32), rng.normal(size=(5, 6)).astype(np.float32)
    user, item = np.repeat(np.arange(4), 5), np.tile(np.arange(5), 4)
    own, sent = (pa.table({"als": pa.array(side.tolist(), pa.list_(pa.float32()))}) for side in (users, items))
    made = module._products(own, sent, "als", user, item)
    np.testing.assert_allclose(made, (users @ items.T).ravel(), rtol=1e-5)


def test_what_is_not_finite_is_refused(spark: SparkSession) -> None:
    told = spark.createDataFrame([("u1", "i1")], "user_id string, item_id string")
    users = vectors(spark, "user", {"als": {"u1": np.array([1.0, np.nan])}})
    items = vectors(spark, "item", {"als": {"i1": np.ones(2)}})
    with pytest.raises(PythonException, match="vectors of users hold non-finite numbers in 1 of 1 rows"):
        matches(told, users, items, ("als",), 1).collect()


def test_widths_that_differ_are_named(spark: SparkSession) -> None:
    told = spark.createDataFrame([("u1", "i1")], "user_id string, item_id string")
    users = vectors(spark, "user", {"als": {"u1": np.ones(2)}})
    items = vectors(spark, "item", {"als": {"i1": np.ones(3)}})
    with pytest.raises(PythonException, match="vectors of als are 2 wide for users, 3 for items"):
        matches(told, users, items, ("als",), 1).collect()
