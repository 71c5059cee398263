"""Exact top-K of dot products against Spark ML's and implicit's, side by side: the same vectors, the same k.

Compared are users a CPU-second. Spark ML is by far the slowest: it and ours are asked for a part of the users beside
each other, ours and implicit for all. The product alone, in tiles of the same size, says what is left to gain. Some
lists of each are held against a full sort.

    make bench NAME=topk [ARGS="--users 100000 --items 50000 --width 64 --k 100 --repeats 3"]
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
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

from shoprec import arrow
from shoprec.retrieval.top_k import TILE_ITEMS, TILE_USERS, top_k, unmasked
from shoprec.usage import measured
from tests.benchmarks._figures import save, session, spread

SEED = 1
#: Users whose lists are compared with those of a full sort, and how far a score may be off, in single precision.
CHECKED, MOST_OFF = 500, 1e-3
#: Users that implicit is asked for at a time.
AT_A_TIME = 50_000

#: User -> items, best first.
Lists = dict[int, np.ndarray]


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

    def check(self, lists: Lists, k: int, *, seen: bool) -> dict[str, float]:
        """These lists against a full sort in double precision, less what the user has seen if ``seen``.

        :raises ValueError: a list is not what the full sort gives, by more than rounding
        """
        equal, off = 0, 0.0
        for user, found in lists.items():
            scores = self.items.astype(np.float64) @ self.users[user].astype(np.float64)
            if seen:
                scores[self.seen[user]] = -np.inf
            best = np.argsort(-scores, kind="stable")[:k]
            equal += np.array_equal(found, best)
            off = max(off, float(np.abs(np.sort(scores[found])[::-1] - scores[best]).max()))
        if off > MOST_OFF:
            raise ValueError(f"a list holds a score that is {off} from the best")
        return {"lists": len(lists), "equal": equal, "most_off": off}


class Ours:
    """Ours, over Parquet files."""

    def __init__(self, spark: SparkSession, vectors: Vectors, folder: Path) -> None:
        self.spark, self.folder = spark, folder
        width = vectors.seen.shape[1]
        _write(folder / "users", len(vectors.users), lambda some: {
            "user_id": _names("u", some), "vector": arrow.vectors(vectors.users[some]),
            "seen": pa.ListArray.from_arrays(
                np.arange(some.stop - some.start + 1, dtype=np.int32) * width, vectors.seen[some].ravel()
            ),
        })  # fmt: skip
        _write(folder / "items", len(vectors.items), lambda some: {
            "item_id": _names("i", some), "item_idx": np.arange(some.start, some.stop, dtype=np.int32),
            "vector": arrow.vectors(vectors.items[some]),
        })  # fmt: skip

    def rows(self, k: int, *, seen: bool) -> DataFrame:
        """user_id, item_idx, score."""
        users, items = (self.spark.read.parquet(str(self.folder / kind)) for kind in ("users", "items"))
        if not seen:
            users = users.withColumn("seen", F.lit(None).cast("array<int>"))
        return top_k(*unmasked(users, items), k)

    def lists(self, k: int, users: Sequence[int], *, seen: bool) -> Lists:
        """Those of some users."""
        rows = self.rows(k, seen=seen).where(F.col("user_id").isin([f"u{user}" for user in users])).toPandas()
        ordered = rows.sort_values("score", ascending=False, kind="stable")
        return {int(name[1:]): part["item_idx"].to_numpy() for name, part in ordered.groupby("user_id")}


class SparkMl:
    """Spark ML's model of these vectors: one that was fitted to next to nothing, with its factors replaced."""

    def __init__(self, spark: SparkSession, vectors: Vectors, folder: Path) -> None:
        place = str(folder / "model")
        pair = spark.createDataFrame([(0, 0, 1.0)], "user int, item int, rating float")
        ALS(rank=vectors.users.shape[1], maxIter=1).fit(pair).write().overwrite().save(place)
        for name, rows in (("userFactors", vectors.users), ("itemFactors", vectors.items)):
            _write(Path(place) / name, len(rows), lambda some, rows=rows: {
                "id": np.arange(some.start, some.stop, dtype=np.int32), "features": arrow.vectors(rows[some]),
            })  # fmt: skip
        self.model = ALSModel.load(place)

    def rows(self, k: int) -> DataFrame:
        """user, recommendations."""
        return self.model.recommendForAllUsers(k)

    def lists(self, k: int, users: Sequence[int]) -> Lists:
        """Those of some users."""
        rows = self.rows(k).where(F.col("user").isin(list(users))).collect()
        return {row["user"]: np.array([one["item"] for one in row["recommendations"]]) for row in rows}


def _write(folder: Path, count: int, columns: Callable[[slice], dict[str, Any]]) -> None:
    """Parquet files, as many as keep every core busy."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    parts = 4 * os.cpu_count()
    for part in range(parts):
        table = pa.table(columns(slice(count * part // parts, count * (part + 1) // parts)))
        parquet.write_table(table, folder / f"{part}.parquet")


def _names(prefix: str, some: slice) -> list[str]:
    return [f"{prefix}{n}" for n in range(some.start, some.stop)]


def implicit(vectors: Vectors, k: int, users: Sequence[int], *, seen: bool) -> Lists:
    """implicit's lists, over matrices in memory."""
    kept = vectors.seen[users]
    ends, shape = np.arange(len(kept) + 1) * kept.shape[1], (len(kept), len(vectors.items))
    hidden = sparse.csr_matrix((np.ones(kept.size, np.float32), kept.ravel(), ends), shape) if seen else None
    found, _ = implicit_topk(
        vectors.items, vectors.users[users], k, filter_query_items=hidden, num_threads=os.cpu_count()
    )
    return dict(zip(users, found, strict=True))


def product(vectors: Vectors) -> None:
    """The scores alone, in our tiles, by one core."""
    for user in range(0, len(vectors.users), TILE_USERS):
        for item in range(0, len(vectors.items), TILE_ITEMS):
            vectors.users[user : user + TILE_USERS] @ vectors.items[item : item + TILE_ITEMS].T


def _done(rows: DataFrame) -> None:
    rows.write.format("noop").mode("overwrite").save()


def spent(work: Callable[[], None], users: int) -> dict[str, float]:
    """Users a second and a CPU-second, and the highest memory of all processes."""
    with measured() as usage:
        work()
    return {
        "users_a_second": users / usage.seconds,
        "users_a_cpu_second": users / usage.cpu_seconds,
        "peak_rss_gib": usage.peak_rss_gib,
    }


def contest(spark: SparkSession, vectors: Vectors, k: int, part: int, repeats: int) -> dict[str, Any]:
    """Every contestant, in turn; ratios within each turn; and lists of each against a full sort."""
    users = len(vectors.users)
    some = Vectors(vectors.users[:part], vectors.items, vectors.seen[:part])
    parts = [range(at, min(at + AT_A_TIME, users)) for at in range(0, users, AT_A_TIME)]

    def by_implicit(*, seen: bool) -> None:
        for one in parts:
            implicit(vectors, k, one, seen=seen)

    with tempfile.TemporaryDirectory() as folder:
        ours, few = Ours(spark, vectors, Path(folder) / "all"), Ours(spark, some, Path(folder) / "some")
        spark_ml = SparkMl(spark, some, Path(folder))
        chosen = np.sort(np.random.default_rng(SEED).choice(part, min(CHECKED, part), replace=False)).tolist()
        # Before the first turn: it also starts and compiles what each needs once.
        checked = {
            "ours": vectors.check(few.lists(k, chosen, seen=False), k, seen=False),
            "ours, seen left out": vectors.check(few.lists(k, chosen, seen=True), k, seen=True),
            "spark_ml": vectors.check(spark_ml.lists(k, chosen), k, seen=False),
            "implicit": vectors.check(implicit(vectors, k, chosen, seen=False), k, seen=False),
            "implicit, seen left out": vectors.check(implicit(vectors, k, chosen, seen=True), k, seen=True),
        }
        works = {
            "ours": (lambda: _done(ours.rows(k, seen=False)), users),
            "ours, seen left out": (lambda: _done(ours.rows(k, seen=True)), users),
            "implicit": (lambda: by_implicit(seen=False), users),
            "implicit, seen left out": (lambda: by_implicit(seen=True), users),
            "ours, part": (lambda: _done(few.rows(k, seen=False)), part),
            "spark_ml, part": (lambda: _done(spark_ml.rows(k)), part),
            "product alone": (lambda: product(some), part),
        }
        turns = []
        for turn in range(repeats):
            turns.append({name: spent(*work) for name, work in works.items()})
            told = ", ".join(f"{name} {found['users_a_cpu_second']:,.0f}" for name, found in turns[-1].items())
            print(f"turn {turn + 1} of {repeats}, users a CPU-second: {told}", flush=True)
    rate = "users_a_cpu_second"
    pairs = (
        ("ours, part", "spark_ml, part"), ("ours", "implicit"), ("ours, seen left out", "implicit, seen left out")
    )  # fmt: skip
    return {
        "rates": {name: {key: spread(turn[name][key] for turn in turns) for key in turns[0][name]} for name in works},
        "ratios": {f"{a} / {b}": spread(turn[a][rate] / turn[b][rate] for turn in turns) for a, b in pairs},
        "check": checked,
    }


def large(spark: SparkSession, users: int, items: int, width: int, k: int) -> dict[str, float]:
    """One large run of ours; and what the product alone, on as many cores, takes of its time."""
    vectors = Vectors.drawn(users, items, width, 10)
    few = Vectors(vectors.users[: 16 * TILE_USERS].copy(), vectors.items, vectors.seen[:0].copy())
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(spark, vectors, Path(folder))
        del vectors
        found = spent(lambda: _done(ours.rows(k, seen=True)), users)
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
    told.add_argument("--part", type=int, default=50_000, help="users asked of Spark ML (default: %(default)s)")
    told.add_argument("--repeats", type=int, default=3)
    told.add_argument("--large", type=int, nargs=2, default=[1_000_000, 100_000], metavar=("USERS", "ITEMS"))
    asked = told.parse_args()
    spark = session()
    vectors = Vectors.drawn(asked.users, asked.items, asked.width, asked.seen)
    found = contest(spark, vectors, asked.k, asked.part, asked.repeats)
    found["large"] = large(spark, *asked.large, asked.width, asked.k)
    save("topk", ("pyspark", "implicit", "numpy"), {**vars(asked), **found})


if __name__ == "__main__":
    main()
