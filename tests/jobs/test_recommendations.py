"""The job recommendations, on a planted lake: lists, reasons that the purchases bear out, the gate, no future."""

import operator
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from shoprec.contracts.gold import RECOMMENDATIONS
from shoprec.contracts.silver import INTERACTIONS, PROMOTIONS
from shoprec.exports import files
from shoprec.lake import Lake
from shoprec.packed import unpacked
from shoprec.ranking.features import TOLD
from shoprec.ranking.histories import histories
from shoprec.ranking.ranker import CARD, booster_file, load
from shoprec.resources import job_module
from tests.ranking.planted_lake import (
    AS_OF,
    CATEGORIES,
    EARLIER,
    HORIZON,
    RANKING,
    RUN,
    SOURCES,
    USERS,
    context,
    event,
    plant,
    promotions,
    purchases,
    put,
)
from tests.small_tables import rows


@pytest.fixture(scope="module")
def planted(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Lake, Path, dict, list[dict]]]:
    """The lake, the folder of files, what the job noted, and the recommendations that it wrote."""
    folder = tmp_path_factory.mktemp("recommendations")
    lake = Lake(spark, str(folder / "lake"))
    plant(lake, purchases())
    job = context(lake, "recommendations", str(folder / "files"))
    job.job.run(job)
    return lake, folder / "files", job.detail, written(lake)


def written(lake: Lake) -> list[dict]:
    found = rows(lake, RECOMMENDATIONS, as_of=AS_OF, run_id=RUN)
    return sorted(found, key=operator.itemgetter("list", "user_id", "rank"))


def test_every_user_has_whole_lists(planted: tuple) -> None:
    """Ranks 1 … n without gaps, 20 at most, no item twice."""
    lists = defaultdict(list)
    for row in planted[3]:
        lists[row["list"], row["user_id"]].append(row)
    assert {user for name, user in lists if name == "all"} == {f"u{i}" for i in range(USERS)}
    for own in lists.values():
        assert [row["rank"] for row in own] == list(range(1, len(own) + 1))
        assert len({row["item_id"] for row in own}) == len(own) <= RANKING.k


def test_discovery_holds_nothing_that_was_bought(planted: tuple) -> None:
    bought = {(user, item) for user, item, _ in purchases()}
    pairs = {
        name: {(r["user_id"], r["item_id"]) for r in planted[3] if r["list"] == name} for name in ("all", "discovery")
    }
    assert pairs["discovery"]
    assert not pairs["discovery"] & bought
    assert pairs["all"] & bought


def test_reasons_are_borne_out_by_the_purchases(planted: tuple) -> None:
    """Every 'Bought n times, last d days ago' is counted again from the purchases themselves."""
    days = defaultdict(set)
    for user, item, day in purchases():
        days[user, item].add(day)
    told = kin = 0
    for row in planted[3]:
        assert 1 <= len(row["reasons"]) <= RANKING.reasons
        assert set(row["sources"]) <= set(SOURCES)
        assert row["sources"]
        for reason in row["reasons"]:
            found = re.match(r"Bought (\d+) times, last (\d+) days? ago", reason)
            if found:
                told += 1
                mine = days[row["user_id"], row["item_id"]]
                assert (len(mine), (AS_OF - max(mine)).days) == (int(found[1]), int(found[2]))
            if "also buy this" in reason:
                kin += 1
                name = re.search(r"buy Item (\d+) also", reason)[1]
                assert days[row["user_id"], f"i{name}"]
                assert (int(name) - int(row["item_id"][1:])) % 40 in (4, 8, 12)
    assert told > 100
    assert kin > 10


def test_favourites_come_first(planted: tuple) -> None:
    """The item that a user bought most often is worth more than the median of the user's list."""
    times = defaultdict(int)
    for user, item, _ in purchases():
        times[user, item] += 1
    good = 0
    for i in range(USERS):
        favourite = max((pair for pair in times if pair[0] == f"u{i}"), key=lambda pair: (times[pair], pair))[1]
        ranks = [
            r["rank"]
            for r in planted[3]
            if r["list"] == "all" and r["user_id"] == f"u{i}" and r["item_id"] == favourite
        ]
        good += bool(ranks) and ranks[0] <= 5
    assert good > 0.8 * USERS


def test_the_gate_and_the_model_are_kept(planted: tuple) -> None:
    """The fused figure is near the best source's, and the saved rankers are those whose digests were noted.

    How often an item was bought decides alone in the planted lake, and buy_again goes by that: nothing can do better.
    """
    gate = planted[2]["gate"]
    assert set(gate["sources"]) == set(SOURCES)
    assert gate["ndcg@10"] >= max(gate["sources"].values()) - 0.02
    assert gate["ndcg@10"] > gate["sources"]["item_knn"] > 0
    folder = f"{planted[1]}/models/ranker/{RUN}"
    saved = load({name: files.read(f"{folder}/{name}") for name in (CARD, *map(booster_file, ("known", "new")))})
    assert saved.digests == planted[2]["digests"]


@pytest.mark.parametrize("day", [EARLIER, AS_OF])
def test_candidates_are_matched_by_the_vectors_of_their_own_day(planted: tuple, day: date) -> None:
    """als' match of u3 and a candidate: how often u3 had bought in its category by then; of the others, nothing."""
    rows = [row for row in _rows_of(planted, day, F.col("user_id") == "u3") if row["proposals"]]
    mine = Counter(int(item[1:]) % CATEGORIES for user, item, at in purchases() if user == "u3" and at < day)
    assert {row["user_id"] for row in rows} == {"u3"}
    assert len(rows) > 12
    assert all(row["match_als"] == mine[int(row["item_id"][1:]) % CATEGORIES] for row in rows)


def test_items_of_the_next_mailer_are_known_by_what_was_said_then(planted: tuple) -> None:
    """Of one store and 14 days: i6 on seven; fourteen days earlier i5 on seven, and of i6 nothing was said yet."""
    ahead = {
        day: {row["item_id"]: row["item_mailer_ahead"] for row in _rows_of(planted, day) if row["proposals"]}
        for day in (EARLIER, AS_OF)
    }
    promoted = {day: {item: share for item, share in of.items() if share} for day, of in ahead.items()}
    assert planted[2]["promoted_ahead"] == 1
    assert promoted == {EARLIER: {"i5": 0.5}, AS_OF: {"i6": 0.5}}


def _rows_of(planted: tuple, day: date, of_users: Column | None = None) -> list[dict]:
    """The pairs of ``day``, as the job puts them together."""
    job = context(planted[0], "recommendations", str(planted[1]))
    told = histories(planted[0].read(INTERACTIONS), AS_OF)
    odds = told.select("user_id", "item_id", F.lit(0.0).alias("odds"))
    period = (AS_OF - day).days // HORIZON
    module = job_module("recommendations")
    facts = module._facts(job, told, lambda frame: frame)
    users = F.lit(True) if of_users is None else of_users
    return unpacked(module._pair_rows(job, told, facts, odds, period, users).toArrow(), TOLD).to_pylist()


def test_the_future_changes_nothing_and_a_repeat_is_equal(planted: tuple) -> None:
    """Events on and after the as-of date, late arrivals and later corrections are poison that must not be tasted."""
    lake, folder, noted, before = planted
    late = [
        event("u1", "i7", AS_OF),
        event("u1", "i8", AS_OF + timedelta(days=3)),
        event("u2", "i9", EARLIER + timedelta(days=2), event_id="late", known_at=event("u2", "i9", AS_OF)["known_at"]),
    ]
    kept = [event(*one) for one in purchases() if one[2].isoformat() >= "2024-03"]
    corrected = {**kept[0], "superseded_at": event("u", "i", AS_OF + timedelta(days=1))["event_at"]}
    correction = {**kept[0], "event_id": "corrected", "item_id": "i11", "known_at": corrected["superseded_at"]}
    put(
        lake,
        INTERACTIONS,
        [one for one in (corrected, correction, *kept[1:], late[2]) if one["month"] == "2024-03"],
        month="2024-03",
    )
    put(lake, INTERACTIONS, [one for one in late if one["month"] == "2024-04"], month="2024-04")
    said_today = {
        **promotions()[0],
        "item_id": "i8",
        "valid_from": event("u", "i", AS_OF)["event_at"],
        "valid_to": None,
    }
    put(lake, PROMOTIONS, [*promotions(), {**said_today, "known_at": said_today["valid_from"]}], kind="in_store")
    job = context(lake, "recommendations", str(folder))
    job.job.run(job)
    assert job.detail == noted
    assert written(lake) == before
