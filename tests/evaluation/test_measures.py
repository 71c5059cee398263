"""The measures: by hand on tiny lists, and against ranx on random lists with ties."""

import importlib
import math
from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property

import numba
import numpy as np
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from sklearn.metrics import roc_auc_score

from shoprec.evaluation.config import CUTOFFS
from shoprec.evaluation.lists import judged_lists, rank_by_score, subject_lists, top_items
from shoprec.evaluation.measures import coverage, user_values
from shoprec.evaluation.truth import buyers, item_facts, truth

MADE, JUDGED = date(2024, 3, 1), date(2024, 3, 15)
BEFORE, WITHIN, AFTER = datetime(2024, 2, 10), datetime(2024, 3, 5), datetime(2024, 3, 15)


class Judged:
    """Everything that the judge makes of hand-made lists and purchases."""

    def __init__(
        self,
        spark: SparkSession,
        purchases: list[tuple],
        candidates: list[tuple],
        recommendations: list[tuple] = (),
        items: Sequence[tuple] = (),
        index: Sequence[tuple] = (),
    ) -> None:
        events = [(user, item, at, "purchase") for user, item, at in purchases]
        interactions = spark.createDataFrame(events, "user_id string, item_id string, event_at timestamp, type string")
        self.truth = truth(interactions, MADE, JUDGED).persist()
        index = index or sorted({(user, 1) for user, _, _ in purchases})
        self.index = spark.createDataFrame(list(index), "user_id string, interactions long")
        self.users = buyers(self.truth, self.index).where("segment is not null").persist()
        lists = subject_lists(
            spark.createDataFrame(list(candidates), "source string, user_id string, item_id string, rank int"),
            spark.createDataFrame(list(recommendations), "list string, user_id string, item_id string, rank int"),
        )
        self.lists = judged_lists(lists, self.truth, self.users).persist()  # as the job does
        self.tops = top_items(lists, self.lists).persist()
        names = items or [(i, None, None, 0) for i in sorted({p[1] for p in purchases} | {c[2] for c in candidates})]
        catalogue = spark.createDataFrame(list(names), "item_id string, department string, category string, users long")
        self.facts = item_facts(catalogue, self.index, self.truth).persist()

    @cached_property
    def rows(self) -> list[dict]:
        return [row.asDict() for row in user_values(self.lists, self.tops, self.facts, self.users).collect()]

    def of(self, subject: str, name: str = "all", user: str = "u") -> dict:
        found = [r for r in self.rows if (r["subject"], r["list"], r["user_id"]) == (subject, name, user)]
        assert len(found) == 1
        return found[0]


#: 49 items. a, b share a category, c their department; d has a category of the same name in another department.
ITEMS = [("a", "D1", "x", 1), ("b", "D1", "x", 1), ("c", "D1", "y", 0), ("d", "D2", "x", 0)]
ITEMS += [(item, "D3", "v", 0) for item in ("e", "f", "g", "h", "z", *(f"n{n:02d}" for n in range(40)))]
INDEX = [("u", 1), ("deep", 2), ("full", 3), ("all", 4), ("missed", 5), ("same", 6), ("idle", 7)]


@pytest.fixture(scope="module")
def shop(spark: SparkSession) -> Judged:
    """Users who each show one thing; u had bought a and b, was shown a, b, c, d by s, then buys b, c and z."""
    purchases = [("u", "a", BEFORE), ("u", "b", BEFORE), ("u", "b", WITHIN), ("u", "c", WITHIN), ("u", "z", WITHIN)]
    purchases += [("u", "e", AFTER), ("deep", "n14", WITHIN), ("deep", "n24", WITHIN), ("missed", "b", WITHIN)]
    purchases += [("full", f"n{n:02d}", WITHIN) for n in range(25)] + [("all", item[0], WITHIN) for item in ITEMS]
    purchases += [("same", "a", BEFORE), ("same", "a", WITHIN), ("idle", "a", BEFORE), ("new", "a", WITHIN)]
    shown = {"u": "abcd", "all": "a", "same": "ab", "idle": "a"}
    shown |= {user: [f"n{n:02d}" for n in range(30)] for user in ("deep", "full")}
    candidates = [("s", user, item, rank) for user, listed in shown.items() for rank, item in enumerate(listed, 1)]
    candidates += [("t", "missed", "b", 1)]
    fused = [("all", "u", "c", 1), ("all", "u", "b", 2), ("discovery", "u", "z", 1), ("discovery", "u", "a", 2)]
    return Judged(spark, purchases, candidates, fused, ITEMS, INDEX)


def test_measures_of_a_list_by_hand(shop: Judged) -> None:
    got = shop.of("s")
    gain, best = 1 / math.log2(3) + 1 / math.log2(4), 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert got["precision@10"] == pytest.approx(2 / 10)
    assert got["precision@20"] == pytest.approx(2 / 20)
    assert got["recall@10"] == pytest.approx(2 / 3)
    assert got["f1@10"] == pytest.approx(2 * (2 / 10) * (2 / 3) / (2 / 10 + 2 / 3))
    assert got["hit_rate@10"] == 1
    assert got["ndcg@10"] == pytest.approx(gain / best)
    assert got["map@10"] == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert got["mrr@10"] == pytest.approx(1 / 2)
    # 49 items, 3 relevant, 46 others: b and c beat all but a (45 each), z ties with the 44 unlisted (half of them)
    assert got["auc"] == pytest.approx((45 + 45 + 22) / (3 * 46))


def test_a_discovery_list_closes_the_gaps_and_seeks_new_items_alone(shop: Judged) -> None:
    got = shop.of("s", "discovery")  # of what u had not bought, c and d are listed; c and z are relevant
    assert got["precision@10"] == pytest.approx(1 / 10)
    assert got["recall@10"] == pytest.approx(1 / 2)
    assert got["ndcg@10"] == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert got["mrr@10"] == 1
    # 47 items not bought before, 2 relevant, 45 others: c beats all 45, z ties with the 44 unlisted
    assert got["auc"] == pytest.approx((45 + 22) / (2 * 45))


def test_the_fused_list_of_each_kind_is_judged_as_that_kind(shop: Judged) -> None:
    assert shop.of("fused")["ndcg@10"] == pytest.approx((1 + 1 / math.log2(3)) / (1 + 1 / math.log2(3) + 1 / 2))
    discovery = shop.of("fused", "discovery")  # the known item a is left out, so one new item, a hit, is listed
    assert discovery["recall@10"] == pytest.approx(1 / 2)
    assert discovery["diversity@10"] is None
    assert len([row for row in shop.rows if row["subject"] == "fused" and row["user_id"] == "u"]) == 2


def test_diversity_and_novelty_by_hand(shop: Judged) -> None:
    got = shop.of("s")
    # pairs of a b c d: ab same category 0, ac bc same department ½, ad bd cd 1
    assert got["diversity@10"] == pytest.approx((0 + 0.5 + 0.5 + 3) / 6)
    # 7 known users: a, b bought by 1: -log2(2/8) = 2; c, d by none: -log2(1/8) = 3
    assert got["novelty@10"] == pytest.approx((2 + 2 + 3 + 3) / 4)


def test_positions_below_the_cutoff_count_for_auc_alone(shop: Judged) -> None:
    got = shop.of("s", user="deep")
    assert (got["hit_rate@10"], got["hit_rate@20"], got["mrr@10"], got["mrr@20"]) == (0, 1, 0, 1 / 15)
    assert got["recall@20"] == pytest.approx(1 / 2)
    assert got["auc"] == pytest.approx(((47 - 14) + (47 - 23)) / (2 * 47))


def test_the_ideal_list_is_cut_at_k(shop: Judged) -> None:
    got = shop.of("s", user="full")
    assert got["ndcg@10"] == pytest.approx(1)
    assert got["recall@10"] == pytest.approx(10 / 25)
    assert got["auc"] == 1


def test_auc_has_no_meaning_where_everything_is_relevant(shop: Judged) -> None:
    assert shop.of("s", user="all")["auc"] is None


def test_a_user_for_whom_a_source_has_nothing_counts_as_missed(shop: Judged) -> None:
    got = shop.of("s", user="missed")
    measures = ("precision", "recall", "f1", "hit_rate", "ndcg", "map", "mrr")
    assert [got[f"{measure}@10"] for measure in measures] == [0] * 7
    assert (got["auc"], got["diversity@10"], got["novelty@10"]) == (0.5, None, None)
    assert shop.of("t", user="missed")["recall@10"] == 1


def test_users_without_relevant_items_and_newcomers_are_not_judged(shop: Judged) -> None:
    assert {row["user_id"] for row in shop.rows} == {"u", "deep", "full", "all", "missed", "same"}
    bought = {row["user_id"]: row["segment"] for row in buyers(shop.truth, shop.index).collect()}
    # Bounds of 1 … 7: a third at or below 3, two thirds at or below 5; idle is no buyer, new was not known
    assert bought == {
        "u": "activity=low", "deep": "activity=low", "full": "activity=low", "all": "activity=mid",
        "missed": "activity=mid", "same": "activity=high", "new": None,
    }  # fmt: skip


def test_a_user_who_buys_nothing_new_is_judged_on_all_purchases_alone(shop: Judged) -> None:
    assert {row["list"] for row in shop.rows if row["user_id"] == "same"} == {"all"}
    assert shop.of("s", user="same")["recall@10"] == 1


def test_only_purchases_decide_and_days_begin_at_midnight(spark: SparkSession) -> None:
    events = [
        ("before", datetime(2024, 2, 29, 23, 59, 59), "purchase"),
        ("first", datetime(2024, 3, 1), "purchase"),
        ("last", datetime(2024, 3, 14, 23, 59, 59), "purchase"),
        ("after", datetime(2024, 3, 15), "purchase"),
        ("viewed", WITHIN, "view"),
        ("returned", WITHIN, "return"),
    ]
    schema = "item_id string, event_at timestamp, type string, user_id string"
    interactions = spark.createDataFrame([(*event, "u") for event in events], schema)
    rows = {r["item_id"]: (r["known"], r["relevant"]) for r in truth(interactions, MADE, JUDGED).collect()}
    assert rows == {"before": (True, False), "first": (False, True), "last": (False, True)}


def test_coverage_counts_distinct_items_of_judged_users(spark: SparkSession) -> None:
    names = [f"i{n:02d}" for n in range(40)]
    purchases = [("u", names[0], WITHIN), ("v", names[0], WITHIN), ("w", names[0], BEFORE)]
    candidates = [("s", "u", names[n], n + 1) for n in range(25)]  # i00 … i24
    candidates += [("s", "v", names[n + 5], n + 1) for n in range(12)]  # i05 … i16
    candidates += [("s", "w", names[39], 1)]  # not judged
    items = [(name, "D", "x", 0) for name in names]
    judged = Judged(spark, purchases, candidates, items=items, index=[("u", 1), ("v", 9), ("w", 4)])
    rows = coverage(judged.tops, judged.facts, judged.users).where("list = 'all'").collect()
    got = {(r["segment"], r["metric"]): (r["value"], r["users"], r["low"]) for r in rows}
    assert got["all", "coverage@10"] == (15 / 40, 2, None)
    assert got["all", "coverage@20"] == (20 / 40, 2, None)
    assert got["activity=low", "coverage@20"] == (20 / 40, 1, None)
    assert got["activity=high", "coverage@20"] == (12 / 40, 1, None)
    assert ("activity=mid", "coverage@10") not in got


@pytest.mark.parametrize("ranks", [(1, 3), (1, 1)])
def test_lists_whose_ranks_do_not_count_from_one_are_refused(spark: SparkSession, ranks: tuple[int, int]) -> None:
    candidates = [("s", "u", item, rank) for item, rank in zip("ab", ranks, strict=True)]
    with pytest.raises(PySparkException, match="ranks must count from 1 without gaps or repeats"):
        Judged(spark, [("u", "a", WITHIN)], candidates).lists.collect()


def test_random_lists_with_ties_against_ranx_and_sklearn(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    # It would compile itself for minutes, to compare a few lists.
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    ranx = importlib.import_module("ranx")
    draw = np.random.default_rng(3)
    users, names = [f"u{n}" for n in range(40)], [f"i{n:03d}" for n in range(120)]
    scores, purchases = [], []
    for user in users:
        listed = draw.choice(names, size=draw.integers(1, 60), replace=False)
        scores += [("s", user, str(item), float(draw.integers(0, 5))) for item in listed]  # five scores: many ties
        purchases += [
            (user, str(item), WITHIN) for item in draw.choice(names, size=draw.integers(1, 30), replace=False)
        ]
    scored = spark.createDataFrame(scores, "subject string, user_id string, item_id string, score double")
    ranked = [(r["subject"], r["user_id"], r["item_id"], r["rank"]) for r in rank_by_score(scored).collect()]
    judged = Judged(spark, purchases, ranked, items=[(name, "D", "x", 0) for name in names])
    values = {r["user_id"]: r for r in judged.rows if r["list"] == "all"}

    relevant, run = {user: {} for user in users}, {user: {} for user in users}
    for user, item, _ in purchases:
        relevant[user][item] = 1
    for _, user, item, rank in ranked:
        run[user][item] = 1000.0 - rank
    names_of = {"precision": "precision", "recall": "recall", "f1": "f1", "hit_rate": "hit_rate", "ndcg": "ndcg",
                "map": "map", "mrr": "mrr"}  # fmt: skip
    for ours, theirs in names_of.items():
        for k in CUTOFFS:
            expected = ranx.evaluate(
                ranx.Qrels(relevant), ranx.Run(run), f"{theirs}@{k}", return_mean=False, make_comparable=True
            )
            got = [values[user][f"{ours}@{k}"] for user in sorted(users)]
            np.testing.assert_allclose(got, expected, atol=1e-9, err_msg=f"{ours}@{k}")
    for user in users:
        truth_of = [item in relevant[user] for item in names]
        expected = roc_auc_score(truth_of, [run[user].get(item, 0.0) for item in names])
        assert values[user]["auc"] == pytest.approx(expected)


def test_equal_scores_favour_no_item_over_users(spark: SparkSession) -> None:
    scores = [("s", f"u{u}", f"i{i}", 1.0) for u in range(400) for i in range(4)]
    ranked = rank_by_score(
        spark.createDataFrame(scores, "subject string, user_id string, item_id string, score double")
    )
    firsts = {r["item_id"]: r["count"] for r in ranked.where("rank = 1").groupBy("item_id").count().collect()}
    # Each item is first for a quarter of 400 users: 100, standard deviation 8.7
    assert set(firsts) == {"i0", "i1", "i2", "i3"}
    assert all(60 < count < 140 for count in firsts.values())
    assert ranked.groupBy("user_id").agg({"rank": "max"}).distinct().count() == 400
