"""What studies found: a file of settings, a table of trials, and a page of plots."""

import io
from collections.abc import Mapping
from html import escape
from typing import Any

import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shoprec.config import Config
from shoprec.settings import Settings
from shoprec.tuning.study import Study, changed

_COLUMNS = 4


def found(told: Config, studies: Mapping[str, Study]) -> Config:
    """``told`` with the best settings of each source; where those as they are were not judged, they stay."""
    for study in studies.values():
        if study.baseline and study.best.value > study.baseline.value:
            told = changed(told, study.best.params)
    return told


def settings_file(before: Config, after: Config) -> str:
    """What differs, as YAML of {job: {setting: value}}: for a shop's ``settings``, or for --set @FILE."""
    told = {}
    for job, settings in after.jobs.items():
        was, now = (_plain(one) for one in (before.jobs[job], settings))
        if differs := {name: value for name, value in now.items() if value != was[name]}:
            told[job] = differs
    return yaml.safe_dump(told, sort_keys=False)


def _plain(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json")


def page(title: str, metric: str, studies: Mapping[str, Study]) -> str:
    """Of each source the figure by trial, and by each of its settings."""
    parts = [f"<h2>{escape(name)}</h2>{_told(study, metric)}{_drawn(study, metric)}" for name, study in studies.items()]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        "<style>body{font:16px system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
        "td,th{text-align:left;padding:.2rem 1rem .2rem 0}svg{max-width:100%;height:auto}</style>"
        f"<h1>{escape(title)}</h1>{''.join(parts)}</html>\n"
    )


def _told(study: Study, metric: str) -> str:
    trials, before = study.judged, study.baseline
    if before is None:
        return "<p>The settings as they are came to no figure: trials.tsv tells of the others.</p>"
    rows = (
        f"<tr><td>{escape(path)}<td>{escape(str(before.params[path]))}<td>{escape(str(value))}"
        for path, value in study.best.params.items()
    )
    return (
        f"<p>{len(trials)} trials judged of {len(study.ended)}; {escape(metric)} {before.value:.4f} as it was, "
        f"{study.best.value:.4f} at best.<table><tr><th>setting<th>as it was<th>best{''.join(rows)}</table>"
    )


def _drawn(study: Study, metric: str) -> str:
    trials = study.judged
    if len(trials) < 2:
        return ""
    paths = list(study.best.params)
    lines = -(-(1 + len(paths)) // _COLUMNS)
    figure = Figure(figsize=(12, 2.8 * lines), layout="constrained")
    panels = figure.subplots(lines, _COLUMNS, squeeze=False, sharey=True).flat
    values = [trial.value for trial in trials]
    _panel(next(panels), [trial.number + 1 for trial in trials], values, "trial")
    for path, panel in zip(paths, panels, strict=False):
        at = [trial.params[path] for trial in trials]
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in at)
        _panel(panel, at if numbers else [str(value) for value in at], values, path.partition(".")[2])
        if numbers and min(at) > 0 and max(at) >= 20 * min(at):
            panel.set_xscale("log")
    for panel in panels:
        panel.set_visible(False)
    figure.supylabel(metric)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]


def _panel(axes: Axes, at: list[Any], values: list[float], name: str) -> None:
    best = max(range(len(values)), key=values.__getitem__)
    axes.scatter(at, values, s=14, color="tab:gray")
    axes.scatter(at[best], values[best], s=40, color="tab:orange")
    axes.set_xlabel(name[-40:], fontsize=8)
    axes.tick_params(labelsize=8)


def table(studies: Mapping[str, Study]) -> str:
    """Of all trials: source, trial, state, figure, seconds, and the settings as YAML; separated by tabs."""
    lines = ["source\ttrial\tstate\tfigure\tseconds\tsettings"]
    for name, study in studies.items():
        for one in study.ended:
            figure = "" if one.value is None else f"{one.value:.6f}"
            settings = yaml.safe_dump(one.params, default_flow_style=True, width=10_000).strip()
            lines.append(
                f"{name}\t{one.number + 1}\t{one.state.name.lower()}\t{figure}\t"
                f"{one.duration.total_seconds():.1f}\t{settings}"
            )
    return "\n".join(lines) + "\n"
