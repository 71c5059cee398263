"""benchmark: how good the fused list and its sources are on a public split, by the jobs that run on a shop's lake.

The train part becomes a shop: its users' rows lie a day apart (leave_last_out), or a random part of them on the last
day (ratio). Settings of sources are looked for on the last day before the as-of date (jobs/tune.py), which the rankers
learn on, too; the pipeline makes its lists with them, and the test part, which the lake never holds, judges them. Means
are over all users with test items, and a user without a list counts as 0.

Everything lies on this machine, in a folder beside --out, which is removed at the end.

train, test: .parquet or .csv with user_id, item_id[, time or position][, weight] (a quantity, which no model reads yet)
items: .parquet, .csv or .jsonl with item_id[, title][, attributes (list)]
"""

import argparse
import json
import math
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import yaml
from pyspark.sql import functions as F

from shoprec.config import Config
from shoprec.contracts.gold import CANDIDATES, EMBEDDED, RECOMMENDATIONS, SOURCES, USER_INDEX
from shoprec.contracts.gold_runs import JOB_RUNS
from shoprec.contracts.silver import RECONCILIATION
from shoprec.errors import ConfigError, ContractBroken
from shoprec.evaluation.config import FUSED
from shoprec.evaluation.means import Means
from shoprec.graph import only
from shoprec.job import Job, JobContext, exit_codes, load_config, load_job, opened, say
from shoprec.lake import Lake
from shoprec.pipeline import run_part
from shoprec.public_splits import shop, splits
from shoprec.public_splits.results import MEASURES, checked, figures
from shoprec.records import perform
from shoprec.reuse import reused
from shoprec.tuning.config import TuneConfig
from shoprec.usage import measured

#: Depths at which lists can be judged.
MOST = 200
#: Sources that are fused unless told. The towers learn from profiles and features, of which splits have none.
USUAL = (*(name for name in SOURCES if name != "two_tower"), "co_visit", "linear", "sequence", "content")
#: Items that a source of a user's taste proposes, beyond as many as lists are deep.
PROPOSED = 20
#: Sources whose settings are looked for: a trial of the others takes minutes.
TUNED = ("als", "spectral", "item_knn", "co_visit", "linear", "popular")
#: Part of the minutes in which settings are looked for.
TUNING = 0.3
#: Beside those of the environment, whatever these are, unless --set says otherwise: users have more candidates than a
#: shop's.
MEMORY = ("spark.driver.memory=5g", "memory_gib=9")
#: Jobs of the graph that come after the lists are made.
LATER = frozenset({"runs", "export"})


def run(_: JobContext) -> None:
    """It has arguments of its own.

    :raises ConfigError: always
    """
    raise ConfigError("benchmark takes files, not a shop's lake: python jobs/benchmark.py --help")


JOB = Job(name="benchmark", about=__doc__, run=run)


def form() -> argparse.ArgumentParser:
    """The benchmark's own arguments."""
    made = argparse.ArgumentParser(
        prog="benchmark.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--train", type=Path, required=True, metavar="FILE", help="what is known of users")
    made.add_argument("--test", type=Path, required=True, metavar="FILE", help="what their lists are judged by")
    made.add_argument("--items", type=Path, metavar="FILE", help="what is known of items")
    made.add_argument("--protocol", choices=get_args(splits.Protocol), required=True, help="how the split was made")
    made.add_argument(
        "--k", type=int, nargs="+", default=[10, 20], metavar="K", help=f"depths, 1 to {MOST} (default: 10 20)"
    )
    made.add_argument(
        "--exclude-seen", action="store_true",
        help="leave out of the lists what the user has in the train part (ratio: always)",
    )  # fmt: skip
    made.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the figures go, as JSON")
    made.add_argument(
        "--minutes", type=float, default=30, metavar="M",
        help=f"minutes, of which {TUNING:g} look for settings; what comes then takes what it takes. 0: no settings are "
        "looked for (default: %(default)s)",
    )  # fmt: skip
    made.add_argument("--seed", type=int, default=1, help="of everything random (default: %(default)s)")
    made.add_argument("--env", default="local", help="name in conf/env, or a YAML file (default: %(default)s)")
    made.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings", help="as for every job"
    )
    return made


def main(argv: Sequence[str] | None = None) -> None:
    """The benchmark's own main."""
    asking = form()
    asked = asking.parse_args(argv)
    if not all(1 <= k <= MOST for k in asked.k):
        asking.error(f"--k: depths are 1 to {MOST}")
    if not 0 <= asked.minutes < math.inf:
        asking.error("--minutes: a number of minutes, or 0")
    if asked.out.is_dir():
        asking.error(f"--out: {asked.out} is a folder")
    with exit_codes():
        benchmark(asked)


def benchmark(asked: argparse.Namespace) -> None:
    """Make the shop, run the pipeline on it, judge, and write the figures.

    The shop's folder is removed once the figures are written; after an error it stays, to be looked at.
    """
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="benchmark-", dir=asked.out.parent.absolute()))
    say(f"the split becomes a shop in {folder}")
    (folder / "shop.yml").write_text(
        yaml.safe_dump(shop.described(str(folder), _settings(max(asked.k), asked.protocol)))
    )
    with measured() as usage:
        told = _told(asked, folder)
        with opened(told, (JOB_RUNS,)) as lake:
            facts = _prepare(lake, asked, folder)
            first, then = _parts(told)
            run_part(only(told.graph.jobs, first), told, lake, splits.AS_OF, told.run_id(splits.AS_OF))
            _refuse_lost_rows(lake)
            if asked.minutes:
                told = _tuned(lake, told, asked, folder)
        # In a session of its own: after sixty trials in the same one 3.6 GB of heap did not hold the ranker's rows.
        with opened(told, (JOB_RUNS,)) as lake:
            run_id = told.run_id(splits.AS_OF)
            run_part(only(told.graph.jobs, then), told, lake, splits.AS_OF, run_id)
            found = _judged(lake, asked, run_id, (FUSED, *told.jobs["candidates"].sources))
    spent = {"seconds": usage.seconds, "cpu_seconds": usage.cpu_seconds, "peak_rss_gib": usage.peak_rss_gib}
    settings = {name: told.decisive(name) for name in then if told.decisive(name)}
    _write(asked.out, {**found, **spent, "split": facts, "settings": settings})
    shutil.rmtree(folder)
    say(_table(found))


def _parts(told: Config) -> tuple[list[str], list[str]]:
    """The jobs that make silver, and those that make the lists of it, without models that no source draws on."""
    unused = set(EMBEDDED) - told.jobs["candidates"].models
    names = [name for name in told.graph.jobs if name not in LATER | unused]
    gold = [name for name in names if load_job(name).makes_gold]
    return [name for name in names if name not in gold], gold


def _told(asked: argparse.Namespace, folder: Path, *more: str) -> Config:
    """The configuration, whose ranker fuses the sources that candidates has.

    :param more: settings beyond those that were asked for
    :raises ConfigError: a source proposes less than the lists that are judged
    """
    places = [f"tables={folder}/lake", f"files={folder}/files", "horizon=1", f"seed={asked.seed}", *MEMORY]
    told = load_config(asked.env, f"{folder}/shop.yml", [*places, *asked.settings, *more])
    sources, depth = told.jobs["candidates"].sources, max(asked.k)
    short = [name for name, source in sources.items() if 0 < source.new < depth]
    if short:
        raise ConfigError(f"candidates.sources: {', '.join(short)} propose fewer than {depth} new items (--k)")
    fused = f"recommendations.sources=[{', '.join(sources)}]"
    return load_config(asked.env, f"{folder}/shop.yml", [*places, fused, *asked.settings, *more])


def _tuned(lake: Lake, told: Config, asked: argparse.Namespace, folder: Path) -> Config:
    """The configuration with what trials found on the last day before the as-of date."""
    sources = [name for name in told.jobs["candidates"].sources if name in TUNED]
    if not sources:
        return told
    metric, wanted = f"{MEASURES[asked.protocol][1]}@{asked.k[0]}", "discovery" if _without_seen(asked) else "all"
    settings = {"sources": sources, "folds": 1, "minutes": asked.minutes * TUNING, "metric": metric, "list": wanted}
    tune = TuneConfig(**{**told.jobs["tune"].model_dump(), **settings})
    trials = replace(told, jobs={**told.jobs, "tune": tune})
    made = perform(load_job("tune"), trials, lake, splits.AS_OF, "tune")
    return _told(asked, folder, f"@{made.detail['place']}/settings.yml")


def _without_seen(asked: argparse.Namespace) -> bool:
    """Whether lists are judged without what their user has in the train part."""
    return asked.exclude_seen or asked.protocol == "ratio"


def _settings(depth: int, protocol: splits.Protocol) -> dict[str, Any]:
    bought, own = max(20, depth), {"buy_again": {}, "popular": {"new": depth}, "trending": {"new": depth}}
    sources = {name: own.get(name, {"new": PROPOSED + depth, "bought": bought}) for name in USUAL}
    return {
        "candidates": {"sources": sources},
        "recommendations": {"k": max(20, depth), "windows": 1},
        # Attributes are words without a sentence.
        "text_embeddings": {"encoder": "hashed"},
        # Where there is no order, a user's rows are of one moment.
        "sequence": {"same_moment": protocol == "ratio"},
    }


def _prepare(lake: Lake, asked: argparse.Namespace, folder: Path) -> dict[str, int]:
    """Write the raw files of the shop; what is to be told of the split."""
    with (
        reused(splits.read(lake.spark, asked.train, say)) as train,
        reused(splits.read(lake.spark, asked.test, say)) as test,
    ):
        facts = checked(asked.protocol, train, test)
        share = splits.learnt_share(train.count(), test.count())
        splits.dated(train, asked.protocol, share, asked.seed).write.parquet(f"{folder}/{shop.SALES}")
        items = splits.read_items(lake.spark, asked.items) if asked.items else None
        splits.catalogue(train, items).write.parquet(f"{folder}/{shop.CATALOGUE}")
    say(", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in facts.items()))
    return facts


def _refuse_lost_rows(lake: Lake) -> None:
    """:raises ContractBroken: silver refused rows of the train part: figures would be of another split."""
    refused = lake.read(RECONCILIATION).where("table = 'interactions'").agg(F.sum("refused")).first()[0]
    if refused:
        raise ContractBroken(f"{refused:,} rows of the train part were refused: silver.quarantine says why")


def _judged(lake: Lake, asked: argparse.Namespace, run_id: str, subjects: Iterable[str]) -> Means:
    """Of every subject, also of one that gave no list that is judged."""
    candidates, made, known = (
        lake.read(table, run_id=run_id).where(F.col("as_of") == F.lit(splits.AS_OF))
        for table in (CANDIDATES, RECOMMENDATIONS, USER_INDEX)
    )
    train, test = (splits.read(lake.spark, file, lambda _: None) for file in (asked.train, asked.test))
    metrics = [f"{name}@{k}" for name in MEASURES[asked.protocol] for k in asked.k]
    found = figures(candidates, made, train, test, known, metrics, seen_left_out=_without_seen(asked))
    return {subject: found.get(subject, dict.fromkeys(metrics, 0.0)) for subject in subjects}


def _write(out: Path, told: dict[str, Any]) -> None:
    part = out.with_name(f"{out.name}.part")
    part.write_text(json.dumps(told, indent=2, default=str) + "\n")
    part.rename(out)


def _table(found: Means) -> str:
    """A line a subject, the best first."""
    names = list(found[FUSED])
    ordered = sorted(found.items(), key=lambda one: -one[1][names[0]])
    lines = ["".join([f"{'':16}", *(f"{name:>14}" for name in names)])]
    lines += ["".join([f"{subject:16}", *(f"{of[name]:14.4f}" for name in names)]) for subject, of in ordered]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
