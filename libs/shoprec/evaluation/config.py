"""Settings of the judge and of the report, and the names that both share."""

from datetime import date
from typing import ClassVar

from pydantic import Field

from shoprec.settings import Settings

#: Depths at which lists are judged.
CUTOFFS: tuple[int, ...] = (10, 20)

#: Subject name of the fused list; every other subject is a source.
FUSED = "fused"

#: Segment that holds every judged user.
EVERYONE = "all"

#: Activity segments, from the least active third of known users to the most active.
ACTIVITY = ("activity=low", "activity=mid", "activity=high")

_PER_CUTOFF = ("precision", "recall", "f1", "hit_rate", "ndcg", "map", "mrr", "diversity", "novelty")

#: Measures with one value a user, hence with an interval, in the order of the kernel's columns.
USER_METRICS: tuple[str, ...] = (*(f"{name}@{k}" for name in _PER_CUTOFF for k in CUTOFFS), "auc")

#: Measures of a whole set of lists, which have no value for one user and hence no interval.
SET_METRICS: tuple[str, ...] = tuple(f"coverage@{k}" for k in CUTOFFS)


class MetricsSettings(Settings):
    """Settings of the job metrics."""

    dates: tuple[date, ...] = Field(
        default=(),
        description="days of judging, YYYY-MM-DD, none after the as-of date: each by the run published for its lists, "
        "and all together; empty: the as-of date alone",
    )
    replicates: int = Field(
        default=1000,
        ge=100,
        le=10_000,
        description="bootstrap replicates behind each interval and p-value, 100 to 10000",
    )


class ReportSettings(Settings):
    """Settings of the job report."""

    TARGET: ClassVar[frozenset[str]] = frozenset(["out"])

    out: str = Field("", description="file or URI of the page; empty: <files>/reports/<run_id>/report.html")
    items: int = Field(6, ge=1, le=20, description="recommendations shown of each example user's lists, 1 to 20")
