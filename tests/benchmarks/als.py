"""One round of als against Spark ML's and implicit's, side by side: the same samples, width and settings.

A round's time is the difference between fits of more and of fewer rounds: what is done once (packing, Spark ML's own,
implicit's transposition) stands apart as ``once``. All use the same number of cores.

    make bench NAME=als [ARGS="--users 200000 --items 50000 --samples 7500000 --rank 64 --repeats 3"]
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy import sparse

from shoprec.models.als.config import AlsConfig
from shoprec.models.als.model import fit
from shoprec.training.storage import Folder
from shoprec.usage import Usage, measured
from tests.benchmarks._figures import save, session, spread

ALPHA, BY_COUNT, FOR_ALL = 10.0, 0.05, 5.0
SEED = 1
Factors = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Samples:
    """Pairs of a shop whose users and items follow power laws; every user and item has one at least."""

    users: int
    items: int
    pairs: pd.DataFrame

    @classmethod
    def drawn(cls, users: int, items: int, count: int) -> "Samples":
        """About ``count`` pairs; weights 1 to 3."""
        draw = np.random.default_rng(SEED)
        keys = [
            np.arange(users) * items + draw.integers(0, items, users),
            draw.integers(0, users, items) * items + np.arange(items),
            draw.choice(users, count, p=_power(users, 0.6)) * items + draw.choice(items, count, p=_power(items, 0.8)),
        ]
        user, item = np.divmod(np.unique(np.concatenate(keys)), items)
        weight = draw.integers(1, 4, len(user)).astype(np.float32)
        pairs = {"user_idx": user.astype(np.int32), "item_idx": item.astype(np.int32), "weight": weight}
        return cls(users, items, pd.DataFrame(pairs))

    def matrix(self) -> sparse.csr_matrix:
        """[users, items], of weights."""
        place = self.pairs["user_idx"], self.pairs["item_idx"]
        return sparse.csr_matrix((self.pairs["weight"], place), shape=(self.users, self.items))

    def turned(self) -> "Samples":
        """Users as items, and items as users."""
        names = {"user_idx": "item_idx", "item_idx": "user_idx"}
        return Samples(self.items, self.users, self.pairs.rename(columns=names))

    def objective(self, factors: Factors, config: AlsConfig) -> float:
        """Hu, Koren and Volinsky 2008, eq. 3, with lambda of each row by its count to the configured power."""
        users, items = (vectors.astype(np.float64) for vectors in factors)
        own, other = self.pairs["user_idx"].to_numpy(), self.pairs["item_idx"].to_numpy()
        confidence = 1 + config.alpha * self.pairs["weight"].to_numpy(np.float64)
        score = np.concatenate([
            np.einsum("ij,ij->i", users[own[at : at + 100_000]], items[other[at : at + 100_000]])
            for at in range(0, len(own), 100_000)
        ])  # fmt: skip
        loss = (confidence * (1 - score) ** 2 - score**2).sum() + np.vdot(users.T @ users, items.T @ items)
        sizes = ((users**2).sum(axis=1), own), ((items**2).sum(axis=1), other)
        ridge = sum(
            size @ np.bincount(numbers, minlength=len(size)) ** config.regularisation_exponent
            for size, numbers in sizes
        )
        return float(loss + config.regularisation * ridge)


def _power(count: int, exponent: float) -> np.ndarray:
    weights = np.arange(1, count + 1) ** -exponent
    return weights / weights.sum()


class OnSpark:
    """Our factorisation, or Spark ML's, over a Parquet file."""

    def __init__(self, spark: SparkSession, samples: Samples, folder: Path) -> None:
        self.spark, self.samples, self.folder = spark, samples, folder
        samples.pairs.sample(frac=1, random_state=SEED).to_parquet(folder / "samples.parquet", row_group_size=1 << 19)

    def fit(self, config: AlsConfig, start: Factors | None = None) -> Callable[[], Factors]:
        """Fit and materialise; what it returns collects the factors."""
        read = self.spark.read.parquet(str(self.folder / "samples.parquet"))
        indexes = (
            self.spark.range(count).select(
                F.col("id").cast("string").alias(f"{kind}_id"), F.col("id").cast("int").alias(f"{kind}_idx")
            )
            for kind, count in (("user", self.samples.users), ("item", self.samples.items))
        )
        known = start and tuple(map(self._known, start, ("user", "item")))
        users, items = fit(read, *indexes, config, Folder(str(self.folder / "rounds")), SEED, known)
        for side in (users, items):
            side.agg(F.sum(F.col("vector")[0])).collect()
        return lambda: (_dense(users, "user", self.samples.users), _dense(items, "item", self.samples.items))

    def _known(self, factors: np.ndarray, kind: str) -> DataFrame:
        known = pd.DataFrame({f"{kind}_id": np.arange(len(factors)).astype(str), "vector": list(factors)})
        return self.spark.createDataFrame(known, f"{kind}_id string, vector array<float>")


def _dense(vectors: DataFrame, kind: str, count: int) -> np.ndarray:
    rows = vectors.toPandas()
    made = np.zeros((count, len(rows["vector"].iloc[0])), np.float32)
    made[rows[f"{kind}_id"].astype(int)] = np.stack(rows["vector"])
    return made


class Implicit:
    """implicit's, over a matrix in memory, which takes confidences as they are."""

    def __init__(self, samples: Samples) -> None:
        self.matrix = samples.matrix()
        self.matrix.data = 1 + ALPHA * self.matrix.data

    def fit(self, config: AlsConfig) -> Callable[[], Factors]:
        """Fit; what it returns gives the factors."""
        model = AlternatingLeastSquares(
            factors=config.rank, regularization=config.regularisation, alpha=1.0, iterations=config.iterations,
            use_cg=config.solver == "conjugate_gradient", random_state=SEED, num_threads=os.cpu_count(),
        )  # fmt: skip
        model.fit(self.matrix, show_progress=False)
        return lambda: (model.user_factors, model.item_factors)


def a_round(contestant: OnSpark | Implicit, config: AlsConfig, more: int) -> dict[str, float]:
    """Seconds and CPU-seconds of one round, seconds of what is done once, and the highest memory of all processes."""
    spent: list[Usage] = []
    for rounds in (1, 1 + more):
        with measured() as usage:
            contestant.fit(_rounds(config, rounds))
        spent.append(usage)
    one, all_ = spent
    seconds = (all_.seconds - one.seconds) / more
    return {
        "seconds": seconds,
        "cpu_seconds": (all_.cpu_seconds - one.cpu_seconds) / more,
        "once": one.seconds - seconds,
        "peak_rss_gib": all_.peak_rss_gib,
    }


def contest(spark: SparkSession, samples: Samples, rank: int, repeats: int) -> dict[str, Any]:
    """Every contestant's round, in turn; and ratios within each turn."""
    by_count = AlsConfig(rank=rank, alpha=ALPHA, regularisation=BY_COUNT)
    for_all = AlsConfig(rank=rank, alpha=ALPHA, regularisation=FOR_ALL, regularisation_exponent=0)
    with tempfile.TemporaryDirectory() as folder:
        ours, implicit = OnSpark(spark, samples, Path(folder)), Implicit(samples)
        runs = {
            "conjugate_gradient": (ours, by_count, 6),
            "cholesky": (ours, by_count.model_copy(update={"solver": "cholesky"}), 3),
            "spark_ml": (ours, by_count.model_copy(update={"solver": "spark_ml"}), 2),
            "implicit_conjugate_gradient": (implicit, for_all, 3),
            "implicit_cholesky": (implicit, for_all.model_copy(update={"solver": "cholesky"}), 2),
        }
        for solver in ("conjugate_gradient", "cholesky", "spark_ml"):  # compiles what is not yet
            ours.fit(by_count.model_copy(update={"solver": solver, "iterations": 1}))
        turns = []
        for turn in range(repeats):
            turns.append({name: a_round(*run) for name, run in runs.items()})
            told = ", ".join(f"{name} {found['seconds']:.2f} s" for name, found in turns[-1].items())
            print(f"turn {turn + 1} of {repeats}: {told}", flush=True)
    pairs = {
        "spark_ml / conjugate_gradient": ("spark_ml", "conjugate_gradient"),
        "spark_ml / cholesky": ("spark_ml", "cholesky"),
        "conjugate_gradient / implicit_conjugate_gradient": ("conjugate_gradient", "implicit_conjugate_gradient"),
        "cholesky / implicit_cholesky": ("cholesky", "implicit_cholesky"),
    }
    return {
        "pairs": len(samples.pairs),
        "rounds": {name: {key: spread(turn[name][key] for turn in turns) for key in turns[0][name]} for name in runs},
        "ratios": {
            name: {key: spread(turn[a][key] / turn[b][key] for turn in turns) for key in ("seconds", "cpu_seconds")}
            for name, (a, b) in pairs.items()
        },
    }


def parity(spark: SparkSession, rank: int) -> dict[str, float]:
    """Our objective over theirs after as many exact rounds, each with its own regularisation.

    The other goes one round from its own beginning, and ours goes on from there: two beginnings may end in two valleys.
    """
    samples, rounds = Samples.drawn(10_000, 4_000, 400_000), 25
    exact = AlsConfig(rank=rank, alpha=ALPHA, regularisation=BY_COUNT, solver="cholesky", iterations=rounds)
    for_all = exact.model_copy(update={"regularisation": FOR_ALL, "regularisation_exponent": 0.0})
    with tempfile.TemporaryDirectory() as folder:
        ours = OnSpark(spark, samples, Path(folder))
        spark_ml = exact.model_copy(update={"solver": "spark_ml"})
        first, last = (ours.fit(_rounds(spark_ml, count))() for count in (1, rounds))
        made = ours.fit(_rounds(exact, rounds - 1), first)()
        found = {"spark_ml": samples.objective(made, exact) / samples.objective(last, exact)}
        # implicit's round begins with the users, Spark ML's and ours with the items.
        theirs, turned = Implicit(samples), samples.turned()
        first, last = (theirs.fit(_rounds(for_all, count))()[::-1] for count in (1, rounds))
        made = OnSpark(spark, turned, Path(folder)).fit(_rounds(for_all, rounds - 1), first)()
        found["implicit"] = turned.objective(made, for_all) / turned.objective(last, for_all)
    return found


def _rounds(config: AlsConfig, count: int) -> AlsConfig:
    return config.model_copy(update={"iterations": count})


def growth(spark: SparkSession, ranks: list[int], sizes: list[int]) -> list[dict[str, float]]:
    """CPU-seconds of a round for each million samples, at several sizes and widths."""
    found = []
    for count in sizes:
        samples = Samples.drawn(count // 37, count // 150, count)
        with tempfile.TemporaryDirectory() as folder:
            ours = OnSpark(spark, samples, Path(folder))
            for rank in ranks:
                spent = a_round(ours, AlsConfig(rank=rank, alpha=ALPHA, regularisation=BY_COUNT), 4)
                millions = len(samples.pairs) / 1e6
                found.append(
                    {
                        "pairs": len(samples.pairs),
                        "rank": rank,
                        **spent,
                        "cpu_seconds_a_million": spent["cpu_seconds"] / millions,
                    }
                )
                print(
                    f"{millions:.1f} million, rank {rank}: {found[-1]['cpu_seconds_a_million']:.3f} CPU-s a million",
                    flush=True,
                )
    return found


def main() -> None:
    """Run all three and write the file."""
    told = argparse.ArgumentParser(prog="als", description=__doc__.partition("\n")[0])
    told.add_argument("--users", type=int, default=200_000)
    told.add_argument("--items", type=int, default=50_000)
    told.add_argument("--samples", type=int, default=7_500_000)
    told.add_argument("--rank", type=int, default=64)
    told.add_argument("--repeats", type=int, default=3)
    told.add_argument("--ranks", type=int, nargs="*", default=[32, 64, 128])
    told.add_argument("--sizes", type=int, nargs="*", default=[1_000_000, 3_000_000, 10_000_000, 30_000_000])
    asked = told.parse_args()
    spark = session()
    found = contest(spark, Samples.drawn(asked.users, asked.items, asked.samples), asked.rank, asked.repeats)
    found |= {"rank": asked.rank, "objective, ours / theirs": parity(spark, asked.rank)}
    found["growth"] = growth(spark, asked.ranks, asked.sizes)
    save("als", ("pyspark", "implicit", "numba", "numpy"), found)


if __name__ == "__main__":
    main()
