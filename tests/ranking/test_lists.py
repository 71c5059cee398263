"""Lists: diversity as a pure function, the seen-item policy, and the families that speak for an item."""

from dataclasses import replace

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from shoprec.ranking.config import RankingConfig
from shoprec.ranking.features import feature_names
from shoprec.ranking.habit_features import NAMES as KNOWN_NAMES
from shoprec.ranking.lists import ListMaker, choose, families, family
from shoprec.ranking.ranker import Known, Ranker, Rankers
from tests.ranking.tables import NAMES, SOURCES, user_rows

cases = st.lists(st.tuples(st.integers(1, 20), st.integers(-1, 4)), min_size=1, max_size=40)
candidate_lists = cases.map(
    lambda rows: (
        np.array([s / 20 for s, _ in rows]),
        np.array([g for _, g in rows]),
        np.arange(len(rows))[::-1].copy(),
    )
)


def greedy(scores: np.ndarray, groups: np.ndarray, ties: np.ndarray, k: int, discount: float, cap: int) -> list[int]:
    """The plain definition: again and again, take what is worth most given what was taken."""
    taken: list[int] = []
    while len(taken) < k:
        count = {g: sum(groups[t] == g for t in taken) if g != -1 else 0 for g in set(groups)}
        left = [i for i in range(len(scores)) if i not in taken and count[groups[i]] < cap]
        if not left:
            break
        taken.append(min(left, key=lambda i: (-scores[i] * (1 - discount) ** count[groups[i]], -scores[i], ties[i])))
    return taken


@settings(max_examples=150, deadline=None)
@given(candidate_lists, st.integers(1, 12), st.sampled_from([0.0, 0.1, 0.5]), st.integers(1, 5))
def test_one_sort_gives_the_greedy_list(case: tuple, k: int, discount: float, cap: int) -> None:
    assert choose(*case, k, discount, cap).tolist() == greedy(*case, k, discount, cap)


@settings(max_examples=50, deadline=None)
@given(candidate_lists, st.randoms())
def test_order_of_candidates_does_not_matter(case: tuple, random) -> None:
    order = list(range(len(case[0])))
    random.shuffle(order)
    shuffled = choose(*(part[order] for part in case), 10, 0.2, 3)
    assert [order[i] for i in shuffled] == choose(*case, 10, 0.2, 3).tolist()


def test_without_discount_and_cap_the_list_is_by_score() -> None:
    assert choose(np.array([0.1, 0.5, 0.3]), np.array([1, 1, 1]), np.array([0, 1, 2]), 2, 0.0, 9).tolist() == [1, 2]


def test_a_category_gives_way_and_is_capped() -> None:
    """0.5 · 0.7 = 0.35 is below 0.4, so the other category comes between; a third of the first is over the cap."""
    scores, groups, ties = np.array([0.6, 0.5, 0.45, 0.4]), np.array([1, 1, 1, 2]), np.arange(4)
    assert choose(scores, groups, ties, 4, 0.3, 2).tolist() == [0, 3, 1]


def test_families_are_ordered_by_what_they_add_and_only_supporters_speak() -> None:
    names = ("pair_days", "pair_age", "rank_item_knn", "item_trend_7d", "user_items")
    rows = np.array([[0.2, 0.2, 0.3, -0.5, 9.0], [-1.0, 0.5, 0.1, 0.2, 9.0]], np.float32)
    assert families(rows, names) == [["repeat", "similar"], ["trend", "similar"]]


def test_every_feature_but_the_users_own_has_a_family_with_a_sentence() -> None:
    kinds = {name: family(name) for name in feature_names(RankingConfig().sources)}
    known = {"repeat", "similar", "taste", "category", "brand", "offer", "price", "popular", "trend"}
    assert set(kinds.values()) == known | {""}
    assert {name for name, kind in kinds.items() if not kind} == {
        name for name in kinds if name.startswith("user_") or name in ("proposals", "best_rank")
    }


@pytest.fixture(scope="module")
def maker() -> ListMaker:
    """A ranker that prefers high als scores, and items bought before."""
    rng = np.random.default_rng(2)
    x = np.full((3000, len(NAMES)), np.nan, np.float32)
    score, days = NAMES.index("score_als"), NAMES.index("pair_days")
    x[:, score], x[:, days] = rng.random(3000), rng.integers(0, 2, 3000)
    y = rng.random(3000) < 0.05 + 0.5 * x[:, score] * (0.3 + 0.7 * x[:, days])
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 2, "nthread": 1}, xgboost.DMatrix(x, label=y), 20
    )
    ranker = Ranker(bytes(booster.save_raw("json")), NAMES)
    return ListMaker(Rankers(None, ranker), RankingConfig(sources=SOURCES, k=20))


def rows_of_a_user(items: int) -> list[dict]:
    return [
        {"item_id": f"i{i}", "proposals": 1, "score_als": float(i), "rank_als": items - i, "category": i % 3,
         "tie": i * 7919 % 101,
         **({"pair_days": 1, "pair_age": 3, "pair_first_age": 3, "pair_decayed": 0.9} if i % 2 else {})}
        for i in range(items)
    ]  # fmt: skip


def listed(maker: ListMaker, rows: list[dict], name: str) -> list[tuple]:
    made = maker(user_rows(*rows)).to_pylist()
    return [(r["rank"], r["item_id"], r["score"]) for r in made if r["list"] == name]


def test_discovery_hides_what_was_bought(maker: ListMaker) -> None:
    rows = rows_of_a_user(60)
    new = {item for _, item, _ in listed(maker, rows, "discovery")}
    assert new
    assert all(int(item[1:]) % 2 == 0 for item in new)
    assert any(int(item[1:]) % 2 for _, item, _ in listed(maker, rows, "all"))


def test_lists_have_ranks_without_gaps_and_no_item_twice(maker: ListMaker) -> None:
    for name, size in (("all", 20), ("discovery", 20)):
        rows = listed(maker, rows_of_a_user(60), name)
        assert [rank for rank, _, _ in rows] == list(range(1, size + 1))
        assert len({item for _, item, _ in rows}) == size
        assert all(0 < score < 1 for _, _, score in rows)


def test_a_short_list_stays_short(maker: ListMaker) -> None:
    rows = rows_of_a_user(5)
    assert len(listed(maker, rows, "all")) == 5
    assert len(listed(maker, rows, "discovery")) == 3
    bought = [row for row in rows if "pair_days" in row]
    assert listed(maker, bought, "discovery") == []


def test_a_user_without_candidates_has_no_list(maker: ListMaker) -> None:
    made = maker(user_rows({"item_id": "i1", "pair_days": 1, "pair_age": 2}))
    assert made.num_rows == 0
    assert {"list", "rank", "score", "families", "item_id"} <= set(made.column_names)


def test_lists_do_not_depend_on_the_order_of_rows(maker: ListMaker) -> None:
    rows = rows_of_a_user(60)
    assert listed(maker, rows[::-1], "all") == listed(maker, rows, "all")


def test_without_diversity_lists_are_by_score(maker: ListMaker) -> None:
    plain = replace(maker, settings=maker.settings.model_copy(update={"category_discount": 0.0, "category_cap": 200}))
    scores = [score for _, _, score in listed(plain, rows_of_a_user(60), "all")]
    assert scores == sorted(scores, reverse=True)


def test_known_items_stand_at_the_odds_that_their_ranker_gave(maker: ListMaker) -> None:
    """The better half of the known items is put first, the others and what was not looked at behind all new ones; why
    they stand there, another says."""
    known = Known(maker.rankers.new, 1.0, 0.0, 0.0)
    apart = replace(maker, rankers=Rankers(known, maker.rankers.new))
    rows = rows_of_a_user(16)
    for i, row in enumerate(row for row in rows if "pair_days" in row):
        row["pair_odds"] = 9.0 - i if i < 4 else -20.0 if i < 6 else None
    made = [row for row in apart(user_rows(*rows)).to_pylist() if row["list"] == "all"]
    assert [row["item_id"] for row in made[:4]] == ["i1", "i3", "i5", "i7"]
    assert made[0]["score"] == pytest.approx(1 / (1 + np.exp(-9.0)))
    assert {row["item_id"] for row in made[-4:]} == {"i9", "i11", "i13", "i15"}
    assert [row["score"] for row in made[-2:]] == [0, 0]
    for row in made:
        assert (row["families"] is None) == (int(row["item_id"][1:]) % 2 == 1)


def test_new_items_count_less_beside_known_ones_and_as_before_among_themselves(maker: ListMaker) -> None:
    """A new item of chance p stands behind known ones of p / 2; what it is told to be, stays."""
    alone = {row["item_id"]: row["score"] for row in maker(user_rows(*rows_of_a_user(12))).to_pylist()}
    rows = rows_of_a_user(12)
    for row in rows:
        if "pair_days" in row:
            chance = 0.6 * alone["i10"]  # the new item of the highest score
            row["pair_odds"] = float(np.log(chance / (1 - chance)))
    known = Known(maker.rankers.new, 1.0, 0.0, 0.0)
    apart = replace(maker, rankers=Rankers(known, maker.rankers.new))
    made = [row for row in apart(user_rows(*rows)).to_pylist() if row["list"] == "all"]
    assert {row["item_id"] for row in made[:6]} == {f"i{i}" for i in range(1, 12, 2)}
    assert made[6]["item_id"] == "i10"
    assert made[6]["score"] == alone["i10"] > made[0]["score"]
    whole = replace(apart, settings=apart.settings.model_copy(update={"new_weight": 1.0}))
    assert next(iter(whole(user_rows(*rows)).to_pylist()))["item_id"] == "i10"


def test_every_feature_of_known_items_has_a_family() -> None:
    kinds = {"repeat", "category", "brand", "offer", "price", "popular", "trend"}
    assert {family(name) for name in KNOWN_NAMES} == kinds
