"""co_visit by hand."""

import math

import pytest

from shoprec.models.co_visit.config import CoVisitConfig
from shoprec.models.co_visit.model import followed, propose
from shoprec.retrieval.co_visits import CoVisitSettings
from tests.models.purchases import shop

#: (user, item, market, days ago): u goes from 0 to 1 to 2, v from 1 to 2; w has bought 0, then 1.
LINES = [("u", 0, "m", 30), ("u", 1, "m", 20), ("u", 2, "m", 10), ("v", 1, "m", 20), ("v", 2, "m", 0),
         ("w", 0, "m", 9), ("w", 1, "m", 8)]  # fmt: skip
SETTINGS = CoVisitSettings(gap=1, backward=0.0, popularity=0.0, half_life_days=10)


@pytest.fixture(scope="module")
def inputs(spark):
    return shop(spark, LINES, dict.fromkeys("uvw", "m"), 3)


def test_what_follows_weighs_by_age_and_length(inputs):
    rows = followed(inputs.purchases, inputs.items, SETTINGS).collect()
    found = {(row["item_id"], row["neighbour_id"]): row["similarity"] for row in rows}
    # Ages of the later lines: 20 and 10 days of u, 0 of v, 8 of w; histories of 3, 2 and 2.
    long, short = 1 / math.log(5), 1 / math.log(4)
    assert found == {
        ("i0", "i1"): pytest.approx(long / 4 + short * 0.5**0.8, rel=1e-5),
        ("i1", "i2"): pytest.approx(long / 2 + short, rel=1e-5),
    }


def test_the_latest_items_speak_most(spark, inputs):
    near = spark.createDataFrame(
        [("i0", "i2", 1.0), ("i1", "i0", 1.0), ("i1", "i2", 0.5), ("i2", "i1", 4.0)],
        "item_id string, neighbour_id string, similarity double",
    )
    found = {(r[0], r[1]): r[2] for r in propose(inputs, near, CoVisitConfig(items=2, decay=0.5), 5, 5).collect()}
    # u's latest two are 2, then 1; v's likewise; w's 1, then 0.
    assert found == {
        ("u", 1): 4.0, ("u", 0): 0.5, ("u", 2): 0.25, ("v", 1): 4.0, ("v", 0): 0.5, ("v", 2): 0.25,
        ("w", 0): 1.0, ("w", 2): 0.5 + 0.5,
    }  # fmt: skip
