"""The report: one page that holds everything it shows, from rows of gold tables."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files
from typing import Any

import jinja2

from shoprec.contracts.gold import LISTS
from shoprec.evaluation import plots
from shoprec.evaluation.config import ACTIVITY, CUTOFFS, EVERYONE, FUSED
from shoprec.evaluation.meanings import activity_in_words, meanings
from shoprec.evaluation.summary import LEADING, Row, best_source, by_subject, difference, times_popular

_MEASURES = ("precision", "recall", "f1", "hit_rate", "ndcg", "map", "mrr", "coverage", "diversity", "novelty")
_NAMES = {"f1": "F1", "hit_rate": "Hit rate", "ndcg": "NDCG", "map": "MAP", "mrr": "MRR", "auc": "AUC"}
_TRAINING = ("best_epoch", "samples", "samples_per_second", "ranks")
_TESTED = (LEADING, "ndcg@20", "recall@20", "precision@10", "map@10", "hit_rate@10", "auc")

#: What is said of two lists whose difference may be none.
UNCLEAR = "not told apart"


@dataclass(frozen=True)
class Examined:
    """One example user: id, lifecycle stage, what the profile says in words, and the first rows of each list."""

    user_id: str
    stage: str
    told: Sequence[str]
    lists: Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class ReportData:
    """What a report is made of. ``judged`` is what the job metrics noted: users, newcomers, activity_bounds."""

    shop: str
    about: str
    run_id: str
    lists_as_of: date
    as_of: date
    horizon: int
    seed: int
    metrics: Sequence[Row]
    job_runs: Sequence[Row]
    reconciliation: Sequence[Row] = ()
    refused: Sequence[Row] = ()
    examples: Sequence[Examined] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def judged(self) -> Mapping[str, Any]:
        """What the judge noted for the day of judging; empty where its note is not there."""
        return self.details("metrics").get("judged", {}).get(str(self.as_of), {})

    def details(self, job: str) -> Mapping[str, Any]:
        """What ``job`` noted in its latest row of job_runs; empty where there is none."""
        rows = sorted((r for r in self.job_runs if r["job"] == job), key=lambda r: (r["as_of"], r["started_at"]))
        return json.loads(rows[-1]["detail"]) if rows else {}


def render(data: ReportData) -> str:
    """The page, HTML."""
    page = _environment().from_string(
        files("shoprec.evaluation").joinpath("templates", "report.html.j2").read_text("utf-8")
    )
    figures = {name: by_subject(data.metrics, name) for name in LISTS}
    return page.render(
        data=data,
        headline=_headline(data, figures),
        lists={name: _list_section(data, name, figures[name]) for name in LISTS if figures[name]},
        meanings=meanings(figures["all"].get(FUSED, {}), data.horizon),
        segments={name: _segments(data.metrics, name) for name in LISTS if figures[name]},
        thirds=activity_in_words(data.judged.get("activity_bounds")),
        intake=plots.intake(data.reconciliation),
        unlisted=data.details("candidates").get("not_in_catalogue"),
        jobs=plots.job_times(data.job_runs),
        cost=_cost(data.job_runs),
        trainings=_trainings(data),
        settings=json.dumps(data.settings, indent=1, sort_keys=True, default=str),
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["figure"] = lambda value: (
        "–" if value is None else f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"
    )
    environment.filters["count"] = lambda value: f"{value:,}"
    environment.filters["p"] = lambda value: (
        "–" if value is None else f"{value:.3f}" if value >= 0.001 else f"{value:.1g}"
    )
    return environment


def _headline(data: ReportData, figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[dict[str, str]]:
    """The cards at the top: figure, label, and a line of context."""
    cards = []
    everything, new = figures["all"], figures["discovery"]
    if LEADING in everything.get(FUSED, {}):
        row = next(r for r in data.metrics if _cell(r) == (FUSED, "all", EVERYONE, LEADING))
        between = f"95% interval {row['low']:.4f} – {row['high']:.4f}"
        cards.append(_card(f"{row['value']:.4f}", "NDCG@10 of the fused list", between))
    source = best_source(everything)
    if source and (test := difference(data.metrics, "all", LEADING, source)):
        between = f"{test['value']:+.4f}, {test['low']:+.4f} to {test['high']:+.4f}, p = {test['p_value']:.3g}"
        if _verdict(test) == UNCLEAR:
            cards.append(_card("level", f"with {source}, the best source: {UNCLEAR}", between))
        else:
            change = _change(test["value"], everything[source][LEADING])
            cards.append(_card(change, f"against {source}, the best source", between))
    if times := times_popular(new):
        pair = f"{new[FUSED][LEADING]:.4f} against {new['popular'][LEADING]:.4f}"
        cards.append(_card(f"{times:.2f}×", "popularity's NDCG@10, for items new to the user", pair))
    users = max((r["users"] for r in data.metrics if r["segment"] == EVERYONE), default=0)
    newcomers = data.judged.get("newcomers")
    known = "" if newcomers is None else f"{newcomers:,} further buyers were not known before"
    return [*cards, _card(f"{users:,}", "users judged", known)]


def _cell(row: Row) -> tuple[str, str, str, str]:
    return row["subject"], row["list"], row["segment"], row["metric"]


def _change(by: float, base: float) -> str:
    return f"{100 * by / base:+.1f}%" if base else f"{by:+.4f}"


def _card(figure: str, label: str, context: str) -> dict[str, str]:
    return {"figure": figure, "label": label, "context": context}


def _list_section(data: ReportData, name: str, figures: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Plot, tables by cutoff and paired tests of one list."""
    tables = []
    for k in CUTOFFS:
        metrics = [*(f"{measure}@{k}" for measure in _MEASURES), "auc"]
        best = {m: max((v[m] for v in figures.values() if m in v), default=None) for m in metrics}
        rows = [
            (s, [(values.get(m), m in values and values[m] == best[m]) for m in metrics])
            for s, values in figures.items()
        ]
        tables.append({"k": k, "columns": [_heading(m) for m in metrics], "rows": rows})
    return {
        "plot": plots.quality(data.metrics, name),
        "tables": tables,
        "tests": against_best(data.metrics, name, figures),
        "users": max((r["users"] for r in data.metrics if r["list"] == name and r["segment"] == EVERYONE), default=0),
        "best": best_source(figures),
    }


def _heading(metric: str) -> str:
    name = metric.partition("@")[0]
    return _NAMES.get(name, name.replace("_", " ").capitalize())


def against_best(metrics: Sequence[Row], name: str, figures: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """Fused against the best source by each tested measure: better or worse where the interval leaves out zero."""
    found = []
    for metric in _TESTED:
        source = best_source(figures, metric)
        row = difference(metrics, name, metric, source) if source else None
        if row:
            found.append({**row, "source": source, "of_source": figures[source][metric], "verdict": _verdict(row)})
    return found


def _verdict(test: Row) -> str:
    return "better" if test["low"] > 0 else "worse" if test["high"] < 0 else UNCLEAR


def _segments(metrics: Sequence[Row], name: str) -> dict[str, Any]:
    """The leading figure of each subject by activity segment: value, low, high and users."""
    segments = [s for s in (EVERYONE, *ACTIVITY) if any(r["segment"] == s and r["list"] == name for r in metrics)]
    cells = {(r["subject"], r["segment"]): r for r in metrics if r["list"] == name and r["metric"] == LEADING}
    subjects = list(by_subject(metrics, name))
    users = {s: max((r["users"] for (_, segment), r in cells.items() if segment == s), default=0) for s in segments}
    titles = [s.replace("activity=", "").capitalize() for s in segments]
    return {
        "names": segments,
        "titles": titles,
        "users": users,
        "rows": [(s, [cells.get((s, segment)) for segment in segments]) for s in subjects],
    }


def _cost(job_runs: Sequence[Row]) -> dict[str, float]:
    return {
        "seconds": sum(r["seconds"] for r in job_runs),
        "cpu_seconds": sum(r["cpu_seconds"] for r in job_runs),
        "peak_rss_gib": max((r["peak_rss_gib"] for r in job_runs), default=0.0),
    }


def _trainings(data: ReportData) -> dict[str, dict[str, Any]]:
    """Plot and facts of every job that noted a training, latest date of each."""
    latest: dict[str, Mapping[str, Any]] = defaultdict(dict)
    for row in data.job_runs:
        if "training" in json.loads(row["detail"]):
            latest[row["job"]] = data.details(row["job"])["training"]
    shown = {}
    for job, curves in latest.items():
        facts = {name: f"{curves[name]:,}" for name in _TRAINING if name in curves}
        shown[job] = {"plot": plots.training(job, curves), "facts": facts}
    return shown
