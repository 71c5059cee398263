"""The jobs that describe users, items and texts, on the shop of tests/features/shop.py laid into a lake."""

from decimal import Decimal
from types import SimpleNamespace

import pytest

from shoprec.context import JobContext
from shoprec.contracts.gold import ITEM_FEATURES, ITEM_INDEX, SAMPLES, TEXT_EMBEDDINGS, USER_INDEX, USER_PROFILES
from shoprec.contracts.silver import INTERACTIONS, ITEMS, PRICES, PROMOTIONS, USERS
from shoprec.features.config import TextSettings
from shoprec.job import load_job
from shoprec.lake import Lake
from tests.features import shop
from tests.ready import make_ready
from tests.small_tables import add, rows

SETTINGS = {"text_embeddings": TextSettings(encoder="hashed", tasks=1)}


@pytest.fixture(scope="module")
def filled(spark, tmp_path_factory):
    """A lake with the shop's silver tables, and the gold tables empty."""
    place = tmp_path_factory.mktemp("features")
    lake = Lake(spark, str(place / "lake"))
    # Corrections that became known only on the as-of date.
    late = [
        {**row, "event_id": f"{row['event_id']}-late", "known_at": shop.at("2024-03-01"), "amount": Decimal(77)}
        for row in shop.EVENTS
    ]
    tables = {
        INTERACTIONS: [*shop.EVENTS, *late],
        ITEMS: shop.CATALOGUE,
        USERS: shop.KNOWN,
        PRICES: shop.PRICED,
        PROMOTIONS: shop.SHELVES,
    }
    gold = (USER_INDEX, ITEM_INDEX, USER_PROFILES, ITEM_FEATURES, TEXT_EMBEDDINGS, SAMPLES)
    make_ready(lake, [*tables, *gold])
    for table, known in tables.items():
        add(lake, table, known)
    return lake


def run(lake, name):
    job = load_job(name)
    told = SimpleNamespace(
        shop=SimpleNamespace(time_zone="Asia/Tokyo"), jobs={name: SETTINGS.get(name) or job.settings()}
    )
    job.run(context := JobContext(job, told, lake, shop.AS_OF, "run"))
    return context


@pytest.fixture(scope="module")
def indexed(filled):
    run(filled, "user_index")
    run(filled, "item_index")
    return filled


def test_user_index_and_item_index(indexed):
    users = rows(indexed, USER_INDEX, as_of=shop.AS_OF, run_id="run")
    assert sorted((r["user_id"], r["user_idx"], r["market"]) for r in users) == [
        ("u1", 0, "us"),
        ("u2", 1, "us"),
        ("u4", 2, "de"),
    ]
    items = rows(indexed, ITEM_INDEX, as_of=shop.AS_OF, run_id="run")
    assert sorted((r["item_id"], r["item_idx"]) for r in items) == [(name, n) for n, name in enumerate("ABCDE")]


def test_samples(indexed):
    run(indexed, "samples")
    found = rows(indexed, SAMPLES, as_of=shop.AS_OF, run_id="run", origin="observed")
    # u3 has no purchase, so its view trains nothing.
    assert sorted((r["user_idx"], r["item_idx"], r["interactions"]) for r in found) == [
        (0, 0, 3), (0, 1, 1), (0, 2, 1), (1, 1, 1), (1, 3, 1), (1, 4, 1), (2, 0, 2),
    ]  # fmt: skip


def test_user_profiles(filled):
    run(filled, "user_profiles")
    found = rows(filled, USER_PROFILES, as_of=shop.AS_OF, run_id="run")
    assert {r["user_id"]: (r["baskets"], r["lines"], float(r["spend"])) for r in found} == {
        "u1": (3, 5, 14.0), "u2": (1, 3, 16.0), "u4": (2, 2, 8.0),
    }  # fmt: skip


def test_item_features(filled):
    run(filled, "item_features")
    found = rows(filled, ITEM_FEATURES, as_of=shop.AS_OF, run_id="run")
    assert {r["item_id"]: r["lines"] for r in found} == {"A": 5, "B": 2, "C": 1, "D": 1, "E": 1, "F": 0}


def test_text_embeddings_encode_each_text_once_across_runs(filled):
    first = run(filled, "text_embeddings")
    # food milk, food bread, home soap
    assert [w.rows for w in first.written] == [3]
    before = by_text(filled)
    again = run(filled, "text_embeddings")
    assert [w.rows for w in again.written] == [0]
    assert by_text(filled) == before
    described = {row["text_hash"] for row in rows(filled, ITEM_FEATURES)} - {None}
    assert described == before.keys()


def by_text(lake):
    return {row["text_hash"]: row for row in rows(lake, TEXT_EMBEDDINGS)}
