"""A small shop of CSV files on a lake of its own, for the jobs that take data in."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shoprec.context import JobContext
from shoprec.contracts import TABLES
from shoprec.contracts.core import Table
from shoprec.intake import tables
from shoprec.intake.shop import Shop, load_shop
from shoprec.job import load_job
from shoprec.lake import Lake
from tests.ready import make_ready
from tests.small_tables import rows

YAML = """
name: corner
currency: EUR
datasets:
  sales:
    format: csv
    path: PLACE/sales
    types: {at: timestamp, arrived: timestamp, n: int, paid: "decimal(18,2)"}
  goods: {format: csv, path: PLACE/goods, types: {since: timestamp}}
tables:
  interactions:
    - dataset: sales
      join: [{dataset: goods, by: [what]}]
      where: what != 'bag'
      columns:
        event_at: at
        known_at: arrived
        market: "'eu'"
        domain: coalesce(kind, 'unknown')
        type: "'purchase'"
        user_id: who
        item_id: what
        quantity: n
        amount: paid
      refuse: {nobody: who = 'nobody'}
      event_key: [line]
  items:
    - dataset: goods
      columns: {item_id: what, domain: kind, name: name, valid_from: since}
  users:
    - dataset: sales
      where: who IS NOT NULL
      columns: {user_id: who, valid_from: at}
"""

HEADER = "line,at,arrived,who,what,n,paid"
GOODS = "what,kind,name,since\ntea,drinks,Green tea,2024-01-01\nmug,things,Mug,2024-01-01\n"


def sale(line: str, day: str, who: str, what: str, n: str = "1", paid: str = "2.50", arrived: str = "") -> str:
    """One line of a sales file; it arrived five minutes later unless told otherwise."""
    return f"{line},{day} 10:00:00,{arrived or day + ' 10:05:00'},{who},{what},{n},{paid}"


@dataclass
class Desk:
    """The shop's files, and its jobs run one at a time on the lake."""

    lake: Lake
    place: Path
    yaml: str = YAML
    said: list[str] = field(default_factory=list)

    def copied(self, lake: Lake, folder: Path) -> "Desk":
        """The shop as it is now, on ``lake`` and with its files below ``folder``: what is the same for many tests."""
        shutil.copytree(self.place, folder / "raw")
        shutil.copytree(self.lake.tables, lake.tables)
        return Desk(lake, folder / "raw", self.yaml)

    def deliver(self, name: str, lines: Iterable[str], dataset: str = "sales", header: str = HEADER) -> None:
        """Put a file of sales where the shop's YAML looks for it."""
        file = self.place / dataset / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join([header, *lines]) + "\n")

    def deliver_goods(self) -> None:
        """The catalogue."""
        (self.place / "goods").mkdir(parents=True, exist_ok=True)
        (self.place / "goods" / "goods.csv").write_text(GOODS)

    @property
    def shop(self) -> Shop:
        """The shop's YAML, typed."""
        return load_shop(self.yaml.replace("PLACE", str(self.place)))

    def run(self, name: str) -> JobContext:
        """Run one job, as the pipeline would; what it says is in ``said``."""
        job = load_job(name)
        make_ready(self.lake, (table for table in TABLES.values() if table in (*job.reads, *job.writes)))
        context = JobContext(job, SimpleNamespace(shop=self.shop, jobs={}), self.lake, date(2024, 3, 1), "run")
        context.progress = self.said.append
        job.run(context)
        return context

    def meanwhile(self, patch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
        """Have this happen once, while the next silver job works: between its write and its account of it."""
        accounts = tables.accounts

        def first(*told: Any) -> list[tables.Account]:
            patch.undo()
            happens()
            return accounts(*told)

        patch.setattr(tables, "accounts", first)

    def rows(self, table: Table, *columns: str) -> list[tuple]:
        """The rows of a table, sorted; ``columns`` or all."""
        return sorted((tuple(row.values()) for row in rows(self.lake, table, *columns)), key=str)
