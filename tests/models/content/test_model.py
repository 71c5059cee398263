"""The source content, against vectors worked out by hand."""

import numpy as np
import pytest

from shoprec.models.content.config import ContentConfig
from shoprec.models.content.model import fitted

TEXTS = {"x": [1.0, 0.0, 0.0], "y": [0.0, 1.0, 0.0], "z": [0.0, 0.0, 1.0], "minus x": [-1.0, 0.0, 0.0]}
#: Item -> its text; two share one, one has none.
ITEMS = {"i0": "x", "i1": "y", "i2": "z", "i3": "x", "i4": None, "i5": "minus x"}


@pytest.fixture
def made(spark):
    def make(visits, **settings):
        index = [(item, number) for number, item in enumerate(ITEMS)]
        tables = (
            spark.createDataFrame(visits, "user_id string, item_idx int, at long"),
            spark.createDataFrame(index, "item_id string, item_idx int"),
            spark.createDataFrame(list(ITEMS.items()), "item_id string, text_hash string"),
            spark.createDataFrame(
                [("e", text, vector) for text, vector in TEXTS.items()] + [("other", "x", [9.0])],
                "encoder string, text_hash string, vector array<float>",
            ),
        )
        users, items = fitted(*tables, ContentConfig(encoder="e", **settings), 3)
        return {row["user_id"]: row["vector"] for row in users.collect()}, dict(items.collect())

    return make


def test_a_user_is_what_was_met_last_each_before_it_weighing_less(made):
    visits = [("u", 2, 1), ("u", 1, 2), ("u", 0, 3), ("v", 3, 1), ("v", 0, 2)]
    users, items = made(visits, items=2, decay=0.5)
    assert users["u"] == pytest.approx(np.array([1, 0.5, 0]) / np.sqrt(1.25))
    assert users["v"] == pytest.approx([1, 0, 0])
    assert items["i0"] == items["i3"] == TEXTS["x"]
    assert set(items) == {"i0", "i1", "i2", "i3", "i5"}


def test_an_item_that_was_met_often_counts_once_where_it_was_met_last(made):
    visits = [("u", 2, 1), ("u", 0, 2), ("u", 1, 3), ("u", 0, 4), ("u", 0, 5)]
    users, _ = made(visits, items=2, decay=0.5)
    assert users["u"] == pytest.approx(np.array([1, 0.5, 0]) / np.sqrt(1.25))


def test_who_met_nothing_with_a_text_has_no_vector(made):
    users, _ = made([("u", 4, 1), ("v", 4, 2), ("v", 1, 1), ("w", 0, 1), ("w", 5, 2)], decay=1.0)
    assert users == {"v": pytest.approx([0, 1, 0])}


def test_nobody_with_a_text_is_no_error(made):
    assert made([("u", 4, 1)])[0] == {}
