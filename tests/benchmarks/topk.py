"""Exact top-K of dot products against Spark ML's and implicit's, side by side: the same vectors, the same k.

Compared are users a CPU-second: Spark ML, far the slowest, is asked for fewer of the users. All use the same number of
cores. The product alone, in tiles of the same size, says what is left to gain.

    make bench NAME=topk [ARGS="--users 100000 --items 50000 --width 64 --k 100 --repeats 3"]
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from implicit.cpu.topk import topk as implicit_topk
from pyarrow import parquet
from pyspark.ml.recommendation import ALS, ALSModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy import sparse

from shoprec.retrieval import arrow
from shoprec.retrieval.top_k import TILE_ITEMS, TILE_USERS, top_k
from shoprec.usage import measured
from tests.benchmarks._figures import save, session, spread

SEED = 1
#: Users whose lists are compared with those of a full sort.
CHECKED = 1_000
#: Rows of a file, and users that implicit is asked for, at a time.
AT_A_TIME = 50_000


@dataclass(frozen=True)
class Vectors:
    """Users and items in no order, items of unequal length; each user has seen ``seen`` random items."""

    users: np.ndarray
    items: np.ndarray
    seen: np.ndarray

    @classmethod
    def drawn(cls, users: int, items: int, width: int, seen: int) -> "Vectors":
        """Normal directions; lengths of items are lognormal."""
        draw = np.random.default_rng(SEED)
        lengths = draw.lognormal(0, 0.5, (items, 1)).astype(np.float32)
        return cls(
            draw.standard_normal((users, width), np.float32),
            draw.standard_normal((items, width), np.float32) * lengths,
            np.sort(draw.integers(0, items, (users, seen), np.int32), axis=1),
        )

    def best(self, user: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """(items, scores) of a full sort in double precision, less what the user has seen."""
        scores = self.items.astype(np.float64) @ self.users[user].astype(np.float64)
        scores[self.seen[user]] = -np.inf
        order = np.argsort(-scores, kind="stable")[:k]
        return order, scores


class Ours:
    """Ours, over Parquet files."""

    def __init__(self, spark: SparkSession, vectors: Vectors, folder: Path) -> None:
        self.spark, self.folder = spark, folder
        _write(folder / "users", len(vectors.users), lambda some: {
            "user_id": _names("u", some), "vector": arrow.vectors(vectors.users[some]),
            "seen": pa.FixedSizeListArray.from_arrays(vectors.seen[some].ravel(), vectors.seen.shape[1]).cast(
                pa.list_(pa.int32())
            ),
        })  # fmt: skip
        _write(folder / "items", len(vectors.items), lambda some: {
            "item_id": _names("i", some), "item_idx": np.arange(some.start, some.stop, dtype=np.int32),
            "vector": arrow.vectors(vectors.items[some]),
        })  # fmt: skip

    def lists(self, k: int, *, seen: bool) -> DataFrame:
        """user_id, item_idx, score."""
        users, items = (self.spark.read.parquet(str(self.folder / kind)) for kind in ("users", "items"))
        if not seen:
            users = users.withColumn("seen", F.lit(None).cast("array<int>"))
        return top_k(users, items, k)


class SparkMl:
    """Spark ML's model of these vectors: one that was fitted to next to nothing, with its factors replaced."""

    def __init__(self, spark: SparkSession, vectors: Vectors, users: int, folder: Path) -> None:
        place = str(folder / "model")
        pair = spark.createDataFrame([(0, 0, 1.0)], "user int, item int, rating float")
        ALS(rank=vectors.users.shape[1], maxIter=1).fit(pair).write().overwrite().save(place)
        for name, rows in (("userFactors", vectors.users[:users]), ("itemFactors", vectors.items)):
            _write(Path(place) / name, len(rows), lambda some, rows=rows: {
                "id": np.arange(some.start, some.stop, dtype=np.int32), "features": arrow.vectors(rows[some]),
            })  # fmt: skip
        self.model = ALSModel.load(place)

    def lists(self, k: int) -> DataFrame:
        """user, recommendations."""
        return self.model.recommendForAllUsers(k)


def _write(folder: Path, count: int, columns: Callable[[slice], dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    for at in range(0, count, AT_A_TIME):
        table = pa.table(columns(slice(at, min(at + AT_A_TIME, count))))
        parquet.write_table(table, folder / f"{at}.parquet")


def _names(prefix: str, some: slice) -> list[str]:
    return [f"{prefix}{n}" for n in range(some.start, some.stop)]


def implicit(vectors: Vectors, k: int, *, seen: bool) -> None:
    """implicit's, over matrices in memory."""
    for some in _parts(len(vectors.users)):
        kept = vectors.seen[some]
        ends = np.arange(len(kept) + 1) * kept.shape[1]
        shape = len(kept), len(vectors.items)
        hidden = sparse.csr_matrix((np.ones(kept.size, np.float32), kept.ravel(), ends), shape) if seen else None
        implicit_topk(vectors.items, vectors.users[some], k, filter_query_items=hidden, num_threads=os.cpu_count())


def product(vectors: Vectors) -> None:
    """The scores alone, in our tiles, by one core."""
    room = np.empty((TILE_USERS, TILE_ITEMS), np.float32)
    for user in range(0, len(vectors.users) // TILE_USERS * TILE_USERS, TILE_USERS):
        for item in range(0, len(vectors.items) // TILE_ITEMS * TILE_ITEMS, TILE_ITEMS):
            np.dot(vectors.users[user : user + TILE_USERS], vectors.items[item : item + TILE_ITEMS].T, out=room)


def _parts(count: int) -> Iterator[slice]:
    return (slice(at, min(at + AT_A_TIME, count)) for at in range(0, count, AT_A_TIME))


def _done(lists: DataFrame) -> None:
    lists.write.format("noop").mode("overwrite").save()


def spent(work: Callable[[], None], users: int) -> dict[str, float]:
    """Users a second and a CPU-second, and the highest memory of all processes."""
    with measured() as usage:
        work()
    return {
        "users_a_second": users / usage.seconds,
        "users_a_cpu_second": users / usage.cpu_seconds,
        "peak_rss_gib": usage.peak_rss_gib,
    }


def contest(spark: SparkSession, vectors: Vectors, k: int, spark_ml_users: int, repeats: int) -> dict[str, Any]:
    """Every contestant, in turn; and ratios within each turn."""
    users = len(vectors.users)
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(spark, vectors, Path(folder))
        spark_ml = SparkMl(spark, vectors, spark_ml_users, Path(folder))
        works = {
            "ours": (lambda: _done(ours.lists(k, seen=False)), users),
            "ours, seen left out": (lambda: _done(ours.lists(k, seen=True)), users),
            "implicit": (lambda: implicit(vectors, k, seen=False), users),
            "implicit, seen left out": (lambda: implicit(vectors, k, seen=True), users),
            "spark_ml": (lambda: _done(spark_ml.lists(k)), spark_ml_users),
            "product alone": (lambda: product(vectors), users),
        }
        _done(ours.lists(k, seen=True).limit(1))  # starts what a first query starts
        turns = []
        for turn in range(repeats):
            turns.append({name: spent(*work) for name, work in works.items()})
            told = ", ".join(f"{name} {found['users_a_cpu_second']:,.0f}" for name, found in turns[-1].items())
            print(f"turn {turn + 1} of {repeats}, users a CPU-second: {told}", flush=True)
        checked = check(ours.lists(k, seen=True), vectors, k)
    rate = "users_a_cpu_second"
    pairs = (("ours", "spark_ml"), ("ours", "implicit"), ("ours, seen left out", "implicit, seen left out"))
    return {
        "rates": {name: {key: spread(turn[name][key] for turn in turns) for key in turns[0][name]} for name in works},
        "ratios": {f"{a} / {b}": spread(turn[a][rate] / turn[b][rate] for turn in turns) for a, b in pairs},
        "check": checked,
    }


def check(lists: DataFrame, vectors: Vectors, k: int) -> dict[str, float]:
    """Some users' lists against a full sort in double precision: equal ones, and the most that a score is off."""
    chosen = np.random.default_rng(SEED).choice(len(vectors.users), min(CHECKED, len(vectors.users)), replace=False)
    names = [f"u{user}" for user in chosen.tolist()]
    rows = lists.where(F.col("user_id").isin(names)).toPandas().sort_values("score", ascending=False, kind="stable")
    found = {name: part["item_idx"].to_numpy() for name, part in rows.groupby("user_id")}
    equal, off = 0, 0.0
    for user, name in zip(chosen.tolist(), names, strict=True):
        best, scores = vectors.best(user, k)
        equal += np.array_equal(found[name], best)
        off = max(off, float(np.abs(np.sort(scores[found[name]])[::-1] - scores[best]).max()))
    return {"lists": len(names), "equal": equal, "most_off": off}


def large(spark: SparkSession, users: int, items: int, width: int, k: int) -> dict[str, float]:
    """One large run of ours; its time as a share of what the product alone takes on as many cores."""
    vectors = Vectors.drawn(users, items, width, 10)
    few = Vectors(vectors.users[: 16 * TILE_USERS], vectors.items, vectors.seen[:0])
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(spark, vectors, Path(folder))
        del vectors
        found = spent(lambda: _done(ours.lists(k, seen=True)), users)
    alone = spent(lambda: product(few), len(few.users))["users_a_cpu_second"] * os.cpu_count()
    return {"users": users, "items": items, **found, "share_of_product": found["users_a_second"] / alone}


def main() -> None:
    """Run and write the file."""
    told = argparse.ArgumentParser(prog="topk", description=__doc__.partition("\n")[0])
    told.add_argument("--users", type=int, default=100_000)
    told.add_argument("--items", type=int, default=50_000)
    told.add_argument("--width", type=int, default=64)
    told.add_argument("--seen", type=int, default=50, help="items that each user has seen (default: %(default)s)")
    told.add_argument("--k", type=int, default=100)
    told.add_argument("--spark-ml-users", type=int, default=10_000)
    told.add_argument("--repeats", type=int, default=3)
    told.add_argument("--large", type=int, nargs=2, default=[1_000_000, 100_000], metavar=("USERS", "ITEMS"))
    asked = told.parse_args()
    spark = session()
    vectors = Vectors.drawn(asked.users, asked.items, asked.width, asked.seen)
    found = contest(spark, vectors, asked.k, asked.spark_ml_users, asked.repeats)
    found["large"] = large(spark, *asked.large, asked.width, asked.k)
    save("topk", ("pyspark", "implicit", "numpy"), {**vars(asked), **found})


if __name__ == "__main__":
    main()
