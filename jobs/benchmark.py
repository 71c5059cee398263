"""benchmark: how good the fused list and its sources are on a public split, by the jobs that run on a shop's lake.

The train part becomes a shop: its users' rows lie a day apart (leave_last_out), or a random part of them on the last
day (ratio). The pipeline learns on the last day before the as-of date and makes its lists; the test part, which the
lake never holds, judges them. Means are over all users with test items, and a user without a list counts as 0.

train, test: .parquet or .csv with user_id, item_id[, time or position][, weight]
items: .parquet, .csv or .jsonl with item_id[, title][, attributes (list)]
"""

import argparse
import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pyspark.sql import functions as F

from shoprec.contracts.gold import CANDIDATES, RECOMMENDATIONS, SOURCES, USER_INDEX
from shoprec.contracts.gold_runs import JOB_RUNS
from shoprec.errors import ConfigError
from shoprec.evaluation.config import FUSED
from shoprec.job import Job, JobContext, exit_codes, load_config, opened, say
from shoprec.lake import Lake
from shoprec.pipeline import run_part
from shoprec.public_splits import shop, splits
from shoprec.public_splits.results import MEASURES, Figures, figures
from shoprec.reuse import reused
from shoprec.usage import measured

#: Depths at which lists can be judged.
MOST = 200
#: Sources that are fused unless told.
USUAL = (*SOURCES, "co_visit", "linear")
#: Items that each source proposes to a user, and as many more as its list is deep.
PROPOSED = 60
#: Jobs of the graph that come after the lists are made.
LATER = frozenset({"runs", "export"})


def run(_: JobContext) -> None:
    """It has arguments of its own.

    :raises ConfigError: always
    """
    raise ConfigError("benchmark takes files, not a shop's lake: python jobs/benchmark.py --help")


JOB = Job(name="benchmark", about=__doc__, run=run)


def main(argv: Sequence[str] | None = None) -> None:
    """The benchmark's own main."""
    form = argparse.ArgumentParser(
        prog="benchmark.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    form.add_argument("--train", type=Path, required=True, metavar="FILE", help="what is known of users")
    form.add_argument("--test", type=Path, required=True, metavar="FILE", help="what their lists are judged by")
    form.add_argument("--items", type=Path, metavar="FILE", help="what is known of items")
    form.add_argument("--protocol", choices=get_args(splits.Protocol), required=True, help="how the split was made")
    form.add_argument(
        "--k", type=int, nargs="+", default=[10, 20], metavar="K", help=f"depths, 1 to {MOST} (default: 10 20)"
    )
    form.add_argument(
        "--exclude-seen", action="store_true",
        help="leave out of the lists what the user has in the train part (ratio: always)",
    )  # fmt: skip
    form.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the figures go, as JSON")
    form.add_argument("--seed", type=int, default=1, help="of everything random (default: %(default)s)")
    form.add_argument("--env", default="local", help="name in conf/env, or a YAML file (default: %(default)s)")
    form.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings", help="as for every job"
    )
    asked = form.parse_args(argv)
    if not all(1 <= k <= MOST for k in asked.k):
        form.error(f"--k: depths are 1 to {MOST}")
    with exit_codes():
        benchmark(asked)


def benchmark(asked: argparse.Namespace) -> None:
    """Make the shop, run the pipeline on it, judge, and write the figures."""
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    with measured() as usage, tempfile.TemporaryDirectory(prefix="benchmark-", dir=asked.out.parent) as folder:
        described = shop.described(folder, _settings(max(asked.k)))
        (Path(folder) / "shop.yml").write_text(yaml.safe_dump(described))
        told = load_config(
            asked.env, f"{folder}/shop.yml",
            [f"tables={folder}/lake", f"files={folder}/files", "horizon=1", f"seed={asked.seed}", *asked.settings],
        )  # fmt: skip
        with opened(told, (JOB_RUNS,)) as lake:
            _prepare(lake, asked, Path(folder))
            run_id = told.run_id(splits.AS_OF)
            part = {name: entry for name, entry in told.graph.jobs.items() if name not in LATER}
            run_part(part, told, lake, splits.AS_OF, run_id)
            found = _judged(lake, asked, run_id, (FUSED, *told.jobs["candidates"].sources))
    spent = {"seconds": usage.seconds, "cpu_seconds": usage.cpu_seconds, "peak_rss_gib": usage.peak_rss_gib}
    settings = {name: told.decisive(name) for name in part if told.decisive(name)}
    _write(asked.out, {**found, **spent, "settings": settings})
    say(_table(found))


def _settings(depth: int) -> dict[str, Any]:
    quota = {"new": PROPOSED + depth, "bought": 20}
    sources = {name: {} if name == "buy_again" else quota for name in USUAL}
    return {
        "candidates": {"sources": sources},
        "recommendations": {"sources": list(USUAL), "k": max(20, depth), "windows": 1},
    }


def _prepare(lake: Lake, asked: argparse.Namespace, folder: Path) -> None:
    """The raw files of the shop."""
    with reused(splits.read(lake.spark, asked.train, say)) as train:
        share = splits.learnt_share(train.count(), splits.read(lake.spark, asked.test, say).count())
        dated = splits.dated(train, asked.protocol, share, asked.seed)
        dated.write.parquet(f"{folder}/{shop.SALES}")
        items = splits.read_items(lake.spark, asked.items) if asked.items else None
        splits.catalogue(train, items).write.parquet(f"{folder}/{shop.CATALOGUE}")


def _judged(lake: Lake, asked: argparse.Namespace, run_id: str, subjects: Iterable[str]) -> Figures:
    """Of every subject, also of one that gave no list that is judged."""
    candidates, made, known = (
        lake.read(table, run_id=run_id).where(F.col("as_of") == F.lit(splits.AS_OF))
        for table in (CANDIDATES, RECOMMENDATIONS, USER_INDEX)
    )
    train, test = (splits.read(lake.spark, file, lambda _: None) for file in (asked.train, asked.test))
    seen_left_out = asked.exclude_seen or asked.protocol == "ratio"
    metrics = [f"{name}@{k}" for name in MEASURES[asked.protocol] for k in asked.k]
    found = figures(candidates, made, train, test, known, metrics, seen_left_out=seen_left_out)
    return {subject: found.get(subject, dict.fromkeys(metrics, 0.0)) for subject in subjects}


def _write(out: Path, told: dict[str, Any]) -> None:
    part = out.with_name(f"{out.name}.part")
    part.write_text(json.dumps(told, indent=2, default=str) + "\n")
    part.rename(out)


def _table(found: Figures) -> str:
    """A line a subject, the best first."""
    names = list(found[FUSED])
    ordered = sorted(found.items(), key=lambda one: -one[1][names[0]])
    lines = ["".join([f"{'':16}", *(f"{name:>14}" for name in names)])]
    lines += ["".join([f"{subject:16}", *(f"{of[name]:14.4f}" for name in names)]) for subject, of in ordered]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
