"""One trial: a source made with some settings, by the jobs that a run makes it with, and judged on what followed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from pyspark.sql import DataFrame

from shoprec.config import Config
from shoprec.context import JobContext
from shoprec.contracts.core import Table
from shoprec.contracts.gold import CANDIDATES, USER_INDEX
from shoprec.evaluation.lists import source_lists
from shoprec.evaluation.means import means
from shoprec.job import load_job
from shoprec.lake import Lake
from shoprec.models.sources import Source
from shoprec.training.storage import Folder


@dataclass(frozen=True)
class Fold:
    """A day that trials are judged on.

    :ivar run_id: the run that made the tables which the sources are made of
    :ivar users: user_index of those that are judged
    :ivar pairs: as of ``evaluation.truth.truth``, of these users
    """

    as_of: date
    run_id: str
    users: DataFrame
    pairs: DataFrame


@dataclass
class Trial(JobContext):
    """A job that writes to a folder, and reads there what another of the same trial wrote."""

    folder: str = ""
    kept: dict[Any, DataFrame] = field(default_factory=dict)

    def progress(self, text: str) -> None:
        """Trials are many, and say nothing."""

    def read(self, table: Table, /, **where: Any) -> DataFrame:
        """What the trial wrote, where it did; else what the lake holds."""
        return self.kept[key] if (key := _key(table, where)) in self.kept else super().read(table, **where)

    def write(self, rows: DataFrame, table: Table, /, **values: Any) -> int:
        """Keep the rows, which no contract looks at."""
        path = f"{self.folder}/tables/{len(self.kept)}"
        rows.write.parquet(path)
        made = self.spark.read.parquet(path)
        self.kept[_key(table, values)] = made
        return made.count()


def _key(table: Table, where: dict[str, Any]) -> tuple[str, str]:
    return table.name, repr(sorted(where.items()))


def figure(lake: Lake, told: Config, source: str, fold: Fold, folder: str, metric: str, wanted: str) -> float:
    """What the source comes to on a day under the settings of ``told``.

    :param folder: for all that it makes, of its own; removed at the end
    :param metric: as ``ndcg@10``
    :param wanted: all or discovery
    """
    drawn = told.jobs["candidates"].sources[source]
    # Other sources are none of the trial's, nor are users that are not judged; what jobs keep beside tables goes, too.
    alone = replace(
        told,
        env=told.env.model_copy(update={"files": folder}),
        jobs={**told.jobs, "candidates": type(told.jobs["candidates"])(sources={source: drawn})},
    )
    first = Trial(load_job("candidates"), alone, lake, fold.as_of, fold.run_id, at=-1, folder=folder)
    with _emptied(folder):
        if maker := made_by(source, drawn):
            load_job(maker).run(replace(first, job=load_job(maker)))
        first.kept[_key(USER_INDEX, {})] = fold.users
        first.job.run(first)
        lists = source_lists(first.kept[_key(CANDIDATES, {"source": [source]})])
        found = means(lists, fold.pairs, fold.users, [metric], wanted)
    return found.get(source, {metric: 0.0})[metric]


def made_by(name: str, source: Source) -> str | None:
    """The job that makes what the source draws on; None: it is made as it is asked."""
    return {"embeddings": source.of or name, "neighbours": "item_neighbours", "list": None}[source.kind]


@contextmanager
def _emptied(folder: str) -> Iterator[None]:
    Folder(folder).delete("")
    try:
        yield
    finally:
        Folder(folder).delete("")
