"""Columns as numbers, against figures worked out by hand."""

import json
import math

import pytest

from shoprec.training.encoder import encode, learn, numeric_columns
from shoprec.training.encoding import Encoding, Numeric, Words


@pytest.fixture(scope="module")
def rows(spark):
    values = [
        ("a", 1.0, 0, "x", None),
        ("b", 3.0, 0, "y", 7.0),
        ("c", None, 0, "x", 7.0),
        ("d", 5.0, 0, None, 7.0),
        ("e", 3.0, 4000, "z", 7.0),
        *((f"f{n}", 3.0, 0, "y", 7.0) for n in range(5)),
    ]
    return spark.createDataFrame(values, "id string, even double, rare long, word string, constant double").cache()


def test_what_is_learned(rows):
    assert numeric_columns(rows) == ["even", "rare", "constant"]
    learned = learn(rows, ["even", "rare", "constant"], ["word"], 2)
    even, rare, constant = learned.numeric
    # even: 1, 5 and seven times 3: mean 3, variance 8 / 9.
    assert (even.log, even.mean) == (False, 3.0)
    assert even.deviation == pytest.approx(math.sqrt(8 / 9), rel=1e-5)
    # rare: one of ten is 4000, far from the rest: by its logarithm, mean l / 10, deviation 3 l / 10.
    assert rare.log
    assert rare.mean == pytest.approx(math.log(4001) / 10, rel=1e-5)
    assert rare.deviation == pytest.approx(math.log(4001) * 0.3, rel=1e-5)
    assert constant.deviation == 0
    assert learned.words == (Words("word", ("y", "x")),)


def test_what_is_coded(rows):
    encoding = Encoding(
        (Numeric("even", False, 3.0, 0.5), Numeric("rare", True, 0.0, 1.0)), (Words("word", ("y", "x")),)
    )
    coded = {row["id"]: row for row in encode(rows, ["id"], encoding).collect()}
    assert coded["a"].asDict() == {"id": "a", "n_even": -4.0, "n_rare": 0.0, "w_word": 2}
    assert (coded["c"]["n_even"], coded["b"]["w_word"]) == (0.0, 1)
    # Held within five deviations; words that are unknown or missing are 0.
    assert coded["e"]["n_rare"] == 5.0
    assert (coded["d"]["w_word"], coded["e"]["w_word"]) == (0, 0)
    constant = encode(rows, [], Encoding((Numeric("constant", False, 7.0, 0.0),), ()))
    assert {row["n_constant"] for row in constant.collect()} == {0.0}


def test_nothing_to_learn(rows):
    assert learn(rows, [], [], 5) == Encoding((), ())
    empty = learn(rows.limit(0), ["even"], ["word"], 5)
    assert empty == Encoding((Numeric("even", False, 0.0, 0.0),), (Words("word", ()),))


def test_an_encoding_travels_as_json():
    encoding = Encoding((Numeric("a", True, 1.5, 2.0),), (Words("w", ("x", "ä")), Words("v", ())))
    assert Encoding.of(json.loads(json.dumps(encoding.facts()))) == encoding
    assert (encoding.numeric_names, encoding.word_sizes) == (["n_a"], {"w_w": 3, "w_v": 1})
