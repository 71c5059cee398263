"""A lake with the lists that one run made for four users of a tiny shop, and what the users then bought."""

import functools
import json
import tempfile
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

from pyspark.sql import SparkSession

from shoprec.context import JobContext
from shoprec.contracts.core import Table
from shoprec.contracts.gold import CANDIDATES, JOB_RUNS, METRICS, RECOMMENDATIONS, RUNS, USER_INDEX
from shoprec.contracts.gold_features import ITEM_FEATURES, USER_PROFILES
from shoprec.contracts.silver import INTERACTIONS, QUARANTINE, RECONCILIATION
from shoprec.job import load_job
from shoprec.lake import Lake
from tests.ready import make_ready
from tests.small_tables import add

MADE, JUDGED, LATER = date(2024, 3, 1), date(2024, 3, 15), date(2024, 3, 29)
RUN = "run-7"
USERS = ("u1", "u2", "u3", "u4")
TABLES = (INTERACTIONS, QUARANTINE, RECONCILIATION, CANDIDATES, JOB_RUNS, METRICS, RECOMMENDATIONS, USER_INDEX,
          ITEM_FEATURES, USER_PROFILES, RUNS)  # fmt: skip

#: user, item, day of purchase, day on which it was known. u4 bought before alone; new was not known on the lists' day.
PURCHASES = [
    ("u1", "a", "2024-02-10", "2024-02-10"), ("u2", "b", "2024-02-10", "2024-02-10"),
    ("u3", "c", "2024-02-11", "2024-02-11"), ("u4", "a", "2024-02-12", "2024-02-12"),
    ("u1", "a", "2024-03-02", "2024-03-02"), ("u1", "d", "2024-03-14", "2024-03-14"),
    ("u2", "d", "2024-03-05", "2024-03-05"), ("u3", "e", "2024-03-05", "2024-03-05"),
    ("new", "a", "2024-03-06", "2024-03-06"),
    ("u3", "a", "2024-03-07", "2024-03-20"),  # happened in the judged days, known after them
    ("u2", "a", "2024-03-15", "2024-03-15"),  # the day after
]  # fmt: skip

#: als lists a, d, e to all; popular lists a alone; fused puts d first, and e among the new items.
LISTS = {"als": "ade", "popular": "a"}
FUSED = {"all": "da", "discovery": "de"}


class Lists:
    """The lake, and jobs run on it one at a time."""

    def __init__(self, lake: Lake, place: Path) -> None:
        self.lake, self.place = lake, place
        make_ready(lake, TABLES)
        events = [
            (str(n), _noon(at), _noon(known), "purchase", user, item, at[:7])
            for n, (user, item, at, known) in enumerate(PURCHASES)
        ]
        self._add(INTERACTIONS, "event_id event_at known_at type user_id item_id month", events)
        for day in (MADE, JUDGED):
            self.add_users(day, RUN)
            self._add_lists(day)

    @cached_property
    def judged(self) -> JobContext:
        """Both days judged, as the job of the later one."""
        return self.run("metrics", as_of=LATER, dates=(JUDGED, LATER), replicates=100)

    def add_users(self, day: date, run_id: str) -> None:
        """The users that a run knew: u1 of one purchase line, u2 of two …"""
        rows = [(day, run_id, user, n, n + 1) for n, user in enumerate(USERS)]
        self._add(USER_INDEX, "as_of run_id user_id user_idx interactions", rows)

    def _add_lists(self, day: date) -> None:
        run = (day, RUN)
        items = [(*run, item, f"Item {item.upper()}", "food", item, 1) for item in "abcdefgh"]
        self._add(ITEM_FEATURES, "as_of run_id item_id name department category users", items)
        candidates = [
            (*run, source, "eu", user, item, 1.0, rank)
            for source, proposed in LISTS.items()
            for user in USERS
            for rank, item in enumerate(proposed, 1)
        ]
        self._add(CANDIDATES, "as_of run_id source market user_id item_id score rank", candidates)
        fused = [
            (*run, name, "eu", user, rank, item, 0.5 / rank, ["als"], [f"Because of {item}"])
            for name, listed in FUSED.items()
            for user in USERS
            for rank, item in enumerate(listed, 1)
        ]
        self._add(RECOMMENDATIONS, "as_of run_id list market user_id rank item_id score sources reasons", fused)
        numbers = "recency_days tenure_days baskets items spend basket_spend basket_lines repeat_rate price_level"
        stages = zip(USERS, ("active", "active", "lapsed", "new"), strict=True)
        habits = (3.0, 30.0, 4, 9, Decimal(12), 3.0, 2.0, 0.5, 0.0, [0.0] * 6 + [1.0])
        profiles = [(*run, user, stage, *habits) for user, stage in stages]
        self._add(USER_PROFILES, f"as_of run_id user_id stage {numbers} weekday_shares", profiles)

    def add_job_runs(self, **details: dict) -> None:
        """Rows of job_runs: job -> what it noted."""
        names = "run_id job as_of detail started_at seconds cpu_seconds peak_rss_gib"
        rows = [
            (RUN, job, JUDGED, json.dumps(told), _noon("2024-03-15"), 2.0, 3.0, 0.5) for job, told in details.items()
        ]
        self._add(JOB_RUNS, names, rows)

    def add_intake(self) -> None:
        """Ten sales read, of which one is refused."""
        counted = ("interactions", "sales", 10, 0, 1, 0, 9)
        self._add(RECONCILIATION, "table dataset read passed_over refused duplicate kept", [counted])
        refused = ("interactions", "sales", "no user", "f", 1, 1, 1, "{}")
        self._add(QUARANTINE, "table dataset reason _file _row _occurrence _ingestion_id raw", [refused])

    def _add(self, table: Table, names: str, rows: list[tuple]) -> None:
        add(self.lake, table, (dict(zip(names.split(), row, strict=True)) for row in rows))

    def run(self, name: str, as_of: date = JUDGED, run_id: str = RUN, **settings: object) -> JobContext:
        """Run one job, as the pipeline would."""
        job = load_job(name)
        jobs = {name: job.settings(**settings)}
        shop = SimpleNamespace(name="corner", about="A corner shop", currency="EUR")
        env = SimpleNamespace(files=str(self.place / "files"))
        told = SimpleNamespace(shop=shop, jobs=jobs, horizon=14, seed=5, env=env)
        context = JobContext(job, told, self.lake, as_of, run_id)
        job.run(context)
        return context


@functools.cache
def lists(spark: SparkSession) -> Lists:
    """The lake, made once, shared by the tests of both jobs."""
    folder = tempfile.TemporaryDirectory(prefix="shoprec-judged-")
    _kept.append(folder)  # removed when the test process ends
    place = Path(folder.name)
    return Lists(Lake(spark, str(place / "lake")), place)


_kept: list[tempfile.TemporaryDirectory] = []


def _noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00")
