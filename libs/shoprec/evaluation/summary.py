"""A run in figures: what ``summary.json`` holds, and the short table that the demo prints at its end.

Takes rows of gold.metrics and gold.job_runs as dicts, a few hundred for a run whatever the size of the shop.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shoprec.contracts.gold import LISTS
from shoprec.evaluation.config import EVERYONE, FUSED

Row = Mapping[str, Any]

#: The figure by which the best source is named.
LEADING = "ndcg@10"

_SHOWN = ("ndcg@10", "recall@20", "hit_rate@10", "coverage@20")
_DIFFERENCE = f"{FUSED} - "


def summary(metrics: Iterable[Row], job_runs: Iterable[Row], rows: Mapping[str, int]) -> dict[str, Any]:
    """The run in figures.

    :param metrics: rows of gold.metrics of one run; of several days of judging the last counts
    :param job_runs: rows of gold.job_runs of the run
    :param rows: rows in each table
    :returns: ``jobs`` (seconds of each, all its dates together), ``rows``, ``judged`` (days and users), ``metrics``
        and ``discovery`` (subject -> measure -> value, over all judged users; all purchases, and items new to the
        user), ``paired`` (list -> measure -> fused minus the best source by that measure: source, value, low, high, p)
    """
    metrics = latest(metrics)
    seconds: dict[str, float] = defaultdict(float)
    for job_run in job_runs:
        seconds[job_run["job"]] += job_run["seconds"]
    figures = {name: by_subject(metrics, name) for name in LISTS}
    return {
        "jobs": {job: round(spent, 1) for job, spent in seconds.items()},
        "rows": dict(rows),
        "judged": _judged(metrics),
        "metrics": figures["all"],
        "discovery": figures["discovery"],
        "paired": {name: _paired(metrics, name, figures[name]) for name in LISTS},
    }


def latest(metrics: Iterable[Row]) -> list[Row]:
    """The rows of the last day of judging (rows without as_of are all of one day)."""
    metrics = list(metrics)
    last = max((row["as_of"] for row in metrics if "as_of" in row), default=None)
    return [row for row in metrics if row.get("as_of") == last]


def by_subject(metrics: Iterable[Row], name: str, segment: str = EVERYONE) -> dict[str, dict[str, float]]:
    """Subject -> measure -> value of one list and segment; fused first, then sources by the leading measure."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for row in metrics:
        if row["list"] == name and row["segment"] == segment and not row["subject"].startswith(_DIFFERENCE):
            found[row["subject"]][row["metric"]] = row["value"]
    order = sorted(found, key=lambda subject: (subject != FUSED, -found[subject].get(LEADING, 0.0), subject))
    return {subject: found[subject] for subject in order}


def best_source(figures: Mapping[str, Mapping[str, float]], metric: str = LEADING) -> str | None:
    """The source with the highest ``metric``; None where no source was judged by it."""
    sources = [subject for subject, values in figures.items() if subject != FUSED and metric in values]
    return max(sources, key=lambda subject: figures[subject][metric], default=None)


def difference(metrics: Iterable[Row], name: str, metric: str, source: str, segment: str = EVERYONE) -> Row | None:
    """The row of ``fused - source``; None where there is none."""
    wanted = (f"{_DIFFERENCE}{source}", name, segment, metric)
    rows = (r for r in metrics if (r["subject"], r["list"], r["segment"], r["metric"]) == wanted)
    return next(rows, None)


def _judged(metrics: Sequence[Row]) -> dict[str, Any]:
    users = {
        name: max((r["users"] for r in metrics if r["list"] == name and r["segment"] == EVERYONE), default=0)
        for name in LISTS
    }
    days = {key: str(metrics[0][key]) for key in ("lists_as_of", "as_of") if metrics and key in metrics[0]}
    return days | {"users": users["all"], "users_discovery": users["discovery"]}


def _paired(metrics: Sequence[Row], name: str, figures: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    found = {}
    for metric in figures.get(FUSED, {}):
        source = best_source(figures, metric)
        row = difference(metrics, name, metric, source) if source else None
        if row:
            found[metric] = {
                "source": source,
                **{key: row[key] for key in ("value", "low", "high")},
                "p": row["p_value"],
            }
    return found


def summary_table(figures: Mapping[str, Any]) -> str:
    """What the demo prints: quality of each subject on both lists, the paired tests, and what the run cost.

    :param figures: as of ``summary``; ``seconds``, ``cpu_seconds`` and ``peak_rss_gib`` are told where they are there
    """
    judged, lists = figures["judged"], {"all": figures["metrics"], "discovery": figures["discovery"]}
    width = max((len(subject) for subject in (*lists["all"], *lists["discovery"])), default=0) + 2
    cells = len(_SHOWN) * 12
    lines = [
        f"{judged['users']:,} users judged" + (f" by what they bought in {judged['lists_as_of']} … {judged['as_of']}"
                                               if "as_of" in judged else ""),
        "",
        " " * width + "all purchases".center(cells) + "  " + "items new to the user".center(cells),
        " " * width + "  ".join("".join(f"{metric:>12}" for metric in _SHOWN) for _ in lists),
    ]  # fmt: skip
    for subject in dict.fromkeys([*lists["all"], *lists["discovery"]]):
        cells_of = ("".join(_cell(values.get(subject, {}).get(m)) for m in _SHOWN) for values in lists.values())
        lines.append(f"{subject:<{width}}" + "  ".join(cells_of))
    lines += ["", *_verdicts(figures["paired"], lists["discovery"])]
    if "seconds" in figures:
        spent = f"{figures['seconds']:,.0f} s, {figures['cpu_seconds']:,.0f} CPU-s"
        lines.append(f"{spent}, at most {figures['peak_rss_gib']:.1f} GiB")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return f"{'–':>12}" if value is None else f"{value:>12.4f}"


def _verdicts(paired: Mapping[str, Mapping[str, Row]], discovery: Mapping[str, Mapping[str, float]]) -> list[str]:
    words = {"all": "all purchases", "discovery": "new items"}
    lines = []
    for name, tests in paired.items():
        if test := tests.get(LEADING):
            lines.append(f"{words[name]}: {in_words(test)}")
    if times := times_popular(discovery):
        lines.append(f"new items: {LEADING} of fused is {times:.2f} times that of popular")
    return lines


def in_words(test: Row, metric: str = LEADING) -> str:
    """A paired test as a sentence."""
    return (
        f"{metric} of fused − {test['source']} (best source) = {test['value']:+.4f}, "
        f"95% interval {test['low']:+.4f} … {test['high']:+.4f}, p = {test['p']:.3g}"
    )


def times_popular(figures: Mapping[str, Mapping[str, float]], metric: str = LEADING) -> float | None:
    """How many times popularity's figure the fused list reaches; None where either is missing or popularity's is 0."""
    popular, fused = figures.get("popular", {}).get(metric), figures.get(FUSED, {}).get(metric)
    return fused / popular if popular and fused is not None else None
