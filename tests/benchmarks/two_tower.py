"""Training of the towers, samples a second: one process, and two Horovod ranks beside two processes on their own.

A million users, 200,000 items, 64 wide, batches of 2,048; the samples follow power laws. Two ranks of one thread each
are held against two processes of one thread each, started together, with the same batch a process: what these reach
together is all that the machine has. The curve of two ranks is held against that of one with the same batches.

    make bench NAME=two_tower [ARGS="--users 1000000 --items 200000 --samples 2000000 --repeats 3"]
"""

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from shoprec.models.two_tower.config import TwoTowerConfig
from shoprec.models.two_tower.data import Inputs, plan
from shoprec.models.two_tower.fit import FUNCTION
from shoprec.training.launch import launch
from shoprec.training.reader import Snapshot, column
from shoprec.training.snapshot import write_snapshot
from shoprec.training.storage import Folder
from tests.benchmarks._figures import save, session, spread

SEED = 1
BATCH = 2_048
CONFIG = TwoTowerConfig(
    batch=BATCH, epochs=1, width=64, ranks=1, launcher="horovod", device="cpu", validation_users=0, text=False,
    user_numeric=("recency_days", "frequency"), user_words=("market",),
    item_numeric=("popularity", "price"), item_words=("category", "brand"),
)  # fmt: skip


def inputs(spark: SparkSession, users: int, items: int, samples: int) -> Inputs:
    """Gold tables of that size."""

    def drawn(name: str, key: str = "id") -> Column:
        return F.pmod(F.xxhash64(F.lit(name), key), F.lit(1 << 30)) / (1 << 30)

    def power(name: str, count: int) -> Column:
        """Number n with a chance of about n to the power of -1/2."""
        return F.least(F.floor(F.pow(drawn(name), 2) * count), F.lit(count - 1)).cast("int")

    one = F.lit(1.0)
    pairs = spark.range(samples).select(
        power("user", users).alias("user_idx"), power("item", items).alias("item_idx"), one.alias("weight"),
        one.alias("importance"), (drawn("age") * 90).alias("age_days"),
    )  # fmt: skip
    user = F.concat(F.lit("u"), "id").alias("user_id"), F.col("id").cast("int").alias("user_idx")
    item = F.concat(F.lit("i"), "id").alias("item_id"), F.col("id").cast("int").alias("item_idx")
    numbers = {"recency_days": 90.0, "frequency": 8.0, "popularity": 1.0, "price": 30.0}
    number = {name: (drawn(name) * most).alias(name) for name, most in numbers.items()}
    words = {"market": 5, "category": 300, "brand": 3_000}
    word = {name: F.floor(drawn(name) * most).cast("string").alias(name) for name, most in words.items()}
    none = F.lit(None).cast("string")
    log_q = F.log((F.sqrt(F.col("id") + 1) - F.sqrt("id")) / F.sqrt(F.lit(float(items)))).alias("log_q")
    return Inputs(
        samples=pairs,
        user_index=spark.range(users).select(*user),
        item_index=spark.range(items).select(*item, log_q),
        user_profiles=spark.range(users).select(user[0], number["recency_days"], number["frequency"], word["market"]),
        item_features=spark.range(items).select(
            item[0], number["popularity"], number["price"], word["category"], word["brand"], none.alias("text_hash")
        ),
        text_embeddings=spark.createDataFrame([], "text_hash string, encoder string, vector array<float>"),
    )


def trained(snapshot: Folder, **others: Any) -> dict[str, Any]:
    """What a training on the snapshot tells, in processes of its own."""
    config = CONFIG.model_copy(update=others)
    with tempfile.TemporaryDirectory() as folder:
        arguments = {
            "snapshot": snapshot.uri,
            **{name: f"{folder}/{name}" for name in ("checkpoints", "embeddings", "model")},
            "settings": config.model_dump(mode="json"),
            "seed": SEED,
        }
        return launch(FUNCTION, arguments, config, Folder(folder), lambda told: None)


def side_by_side(snapshot: Folder) -> float:
    """Samples a second of two processes of one thread each, together."""
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(trained, snapshot, batch=BATCH // 2, lanes=8) for _ in range(2)]
        return sum(one.result()["samples_per_second"] for one in both)


def loading(folder: Folder) -> float:
    """Rows a second of the samples, from the snapshot into tensors, in one process."""
    kinds = {"user_idx": np.int64, "item_idx": np.int64, "weight": np.float32}
    pieces: dict[str, list[np.ndarray]] = {name: [] for name in kinds}
    began = time.perf_counter()
    for batch in Snapshot(folder).batches("samples"):
        for name, kind in kinds.items():
            pieces[name].append(column(batch, name, kind))
    tensors = [torch.from_numpy(np.concatenate(arrays)) for arrays in pieces.values()]
    return len(tensors[0]) / (time.perf_counter() - began)


def main() -> None:
    """Run and write the file."""
    told = argparse.ArgumentParser(prog="two_tower", description=__doc__.partition("\n")[0])
    told.add_argument("--users", type=int, default=1_000_000)
    told.add_argument("--items", type=int, default=200_000)
    told.add_argument("--samples", type=int, default=2_000_000)
    told.add_argument("--repeats", type=int, default=3)
    asked = told.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(str(Path(place) / "snapshot"))
        spark = session()
        write_snapshot(plan(inputs(spark, asked.users, asked.items, asked.samples), CONFIG, SEED), folder)
        spark.stop()
        turns, curves = [], {}
        for turn in range(asked.repeats):
            one, two = trained(folder, threads=2), trained(folder, ranks=2)
            turns.append({
                "one process, two threads": one["samples_per_second"],
                "one process, two threads, bfloat16": trained(folder, threads=2, precision="bfloat16")[
                    "samples_per_second"
                ],
                "two ranks": two["samples_per_second"],
                "two processes on their own": side_by_side(folder),
                "rows read": loading(folder),
            })  # fmt: skip
            curves = {"one": one["loss"], "two ranks": two["loss"]}
            print(
                f"turn {turn + 1} of {asked.repeats}, samples a second: "
                + ", ".join(f"{name} {speed:,.0f}" for name, speed in turns[-1].items()),
                flush=True,
            )
    shares = [turn["two ranks"] / turn["two processes on their own"] for turn in turns]
    found = {
        "samples_a_second": {name: spread(turn[name] for turn in turns) for name in turns[0]},
        "ratios": {"two ranks / two processes": spread(shares)},
        "loss": curves,
    }
    save("two_tower", ("torch", "horovod", "pyarrow"), {**vars(asked), **found})


if __name__ == "__main__":
    main()
