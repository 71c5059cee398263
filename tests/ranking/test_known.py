"""The ranker of known items: weights and intercepts by hand, and what it learns where the truth is planted."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from shoprec.ranking.config import HABIT, RankingConfig, Trees
from shoprec.ranking.habit_features import NAMES
from shoprec.ranking.known import FittedKnown, fit_known, importance, intercepts, scored, weighed
from shoprec.ranking.offset import Offset
from tests.ranking.tables import with_features

SETTINGS = RankingConfig(
    workers=1, known=Trees(rounds=40, depth=2, learning_rate=0.2, min_child_weight=2, negative_share=0.5)
)
TASTE = NAMES.index("pair_due")


def test_importance_by_hand() -> None:
    """One purchase: a half; three: half of 1 + 1 / log2(3) + 1 / 2; none: a tenth; more than ten count as ten."""
    label = np.array([1, 0, 1, 1, 1, 0, *([1] * 12)], dtype=np.float64)
    group = np.array([0, 0, 1, 1, 1, 2, *([3] * 12)])
    ideal = lambda n: sum(1 / np.log2(place + 1) for place in range(1, n + 1))  # noqa: E731
    made = importance(label, group)
    assert made[:6] == pytest.approx([0.5, 0.5, *[0.5 / ideal(3)] * 3, 0.1])
    assert made[6:] == pytest.approx([0.5 / ideal(10)] * 12)


def test_intercepts_are_where_the_penalised_likelihood_is_flat() -> None:
    """At each group's c, the sum of w (label - p) is c times the ridge: an independent statement of the maximum."""
    rng = np.random.default_rng(2)
    group, margin = rng.integers(0, 9, 400), rng.normal(size=400)
    weight, label = rng.random(400), (rng.random(400) < 0.3).astype(np.float64)
    made = intercepts(margin, label, weight, group)
    chance = 1 / (1 + np.exp(-(margin + made[group])))
    assert np.bincount(group, weight * (label - chance)) == pytest.approx(0.5 * made, abs=1e-5)
    assert intercepts(margin, np.zeros(400), weight, group).max() < 0
    assert intercepts(margin, np.ones(400), weight, group).min() > 0


@pytest.fixture(scope="module")
def planted(spark: SparkSession) -> Iterator[tuple[DataFrame, pa.Table, np.ndarray]]:
    """Rows as the kernel gives them, and how likely each was bought.

    A purchase depends on the habit and on one other column; users differ in their level, which no column tells but the
    visits to be expected.
    """
    rng = np.random.default_rng(5)
    users, items, periods = 500, 20, 3
    n = users * items * periods
    user = np.repeat(np.arange(users), items * periods)
    period = np.tile(np.repeat(np.arange(periods), items), users)
    trips = np.exp(rng.normal(0.5, 0.7, users))[user]
    habit, taste = rng.lognormal(0, 0.7, n), rng.normal(size=n)
    chance = 1 / (1 + np.exp(-(1.2 * np.log(habit) + 1.5 * taste + np.log(trips) - 2)))
    matrix = rng.normal(size=(n, len(NAMES))).astype(np.float32)
    matrix[:, 0], matrix[:, TASTE] = habit, taste
    label = (rng.random(n) < chance) & (period > 0)
    table = pa.table({
        "user_id": [f"u{i:04}" for i in user],
        "item_id": [f"i{i}" for i in np.tile(np.arange(items), users * periods)],
        "period": pa.array(period, pa.int32()),
        "label": pa.array(label.astype(np.int32)),
        "trips": pa.array(trips.astype(np.float32)),
        **{name: pa.array(matrix[:, i]) for i, name in enumerate(NAMES)},
    })  # fmt: skip
    rows = spark.createDataFrame(with_features(table, NAMES)).cache()
    yield rows, table, chance
    rows.unpersist()


@pytest.fixture(scope="module")
def fitted(planted: tuple) -> FittedKnown:
    return fit_known(planted[0], 3, SETTINGS, lambda _: None)


def test_today_is_told_what_was_planted(planted: tuple, fitted: FittedKnown) -> None:
    """The rows of the as-of date have no labels; their odds are to be near the planted ones."""
    _, table, chance = planted
    today = np.flatnonzero(table["period"].to_numpy() == 0)
    matrix = np.stack([table[name].to_numpy() for name in NAMES], axis=1)[today]
    odds = fitted.known.odds(matrix, table["trips"].to_numpy()[today])
    truth = np.log(chance[today] / (1 - chance[today]))
    assert np.corrcoef(odds, truth)[0, 1] > 0.93
    told = 1 / (1 + np.exp(-odds))
    for part in np.array_split(np.argsort(told), 5):
        assert told[part].mean() == pytest.approx(chance[today][part].mean(), abs=0.04)


def test_habit_never_counts_against_an_item(fitted: FittedKnown) -> None:
    matrix = np.zeros((30, len(NAMES)), np.float32)
    matrix[:, NAMES.index(HABIT)] = np.linspace(0, 5, 30)
    assert (np.diff(fitted.known.odds(matrix, np.ones(30, np.float32))) >= 0).all()


def test_out_of_fold_odds_are_of_the_latest_labelled_period(planted: tuple, fitted: FittedKnown) -> None:
    """Every row of period 1 once, and odds that follow the planted ones though their users and items were left out."""
    rows = fitted.out_of_fold.collect()
    _, table, chance = planted
    latest = table["period"].to_numpy() == 1
    keys = zip(table["user_id"].to_pylist(), table["item_id"].to_pylist(), chance, strict=True)
    truth = {(u, i): c for (u, i, c), mine in zip(keys, latest, strict=True) if mine}
    assert {(row["user_id"], row["item_id"]) for row in rows} == set(truth)
    assert len(rows) == len(truth)
    told = np.array([row["odds"] for row in rows])
    expected = np.array([truth[row["user_id"], row["item_id"]] for row in rows])
    assert np.corrcoef(told, np.log(expected / (1 - expected)))[0, 1] > 0.9


def test_scored_rows_are_todays_with_what_spoke_for_them(planted: tuple, fitted: FittedKnown) -> None:
    rows = scored(planted[0], fitted.known).collect()
    _, table, _ = planted
    today = table.filter(pa.compute.equal(table["period"], 0))
    assert {(row["user_id"], row["item_id"]) for row in rows} == set(
        zip(today["user_id"].to_pylist(), today["item_id"].to_pylist(), strict=True)
    )
    assert {kind for row in rows for kind in row["families"]} >= {"repeat"}
    assert any(row["families"] for row in rows)


def test_it_repeats(planted: tuple, fitted: FittedKnown) -> None:
    """The same rows in another number of parts, each user's together, give the same trees and calibration."""
    again = fit_known(planted[0].repartition(3, "user_id").sortWithinPartitions("user_id"), 3, SETTINGS, lambda _: None)
    assert again.known == fitted.known


def test_too_little_to_learn_from(planted: tuple) -> None:
    few = fit_known(planted[0].where("user_id < 'u0020'"), 3, SETTINGS, lambda _: None)
    assert few.known is None
    assert few.out_of_fold.count() == 0
    assert scored(planted[0], None).count() == 0
    assert scored(planted[0], None).columns == ["user_id", "item_id", "odds", "families"]


def test_users_are_weighed_as_a_whole_however_batches_cut_them(spark: SparkSession, planted: tuple) -> None:
    """Offsets of a user and period share one intercept: offset less the habit's own log-odds is one number."""
    rows = planted[0].where("period > 0 and user_id < 'u0010'")
    offset = Offset(1.0, -1.0, 0.0)
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "7")
    try:
        made = weighed(rows.coalesce(1), offset).collect()
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    found: dict[tuple, set] = {}
    for row in made:
        own = np.log(max(row[HABIT], 0) + 1e-3) - 1
        found.setdefault((row["user_id"], row["period"]), set()).add(round(row["offset"] - own, 3))
    assert len(found) == 20
    assert all(max(values) - min(values) <= 0.002 for values in found.values())
    assert len({min(values) for values in found.values()}) > 10
