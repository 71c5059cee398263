"""The report's plots, as SVG that stands in the page: its colours are the page's, light or dark, and so is its font."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from shoprec.evaluation.config import EVERYONE, FUSED
from shoprec.evaluation.summary import LEADING, Row, by_subject

# Stand-ins that the page's variables replace: matplotlib draws with colours of its own.
_COLOURS = {
    "ink": "#010101", "muted": "#010102", "line": "#010103", "accent": "#010104", "source": "#010105",
    "good": "#010106", "warn": "#010107", "soft": "#010108", "pale": "#010109",
}  # fmt: skip
_INK, _MUTED, _LINE, _ACCENT, _SOURCE = (_COLOURS[name] for name in ("ink", "muted", "line", "accent", "source"))

_STYLE = {
    "svg.fonttype": "none", "font.size": 10.5, "axes.edgecolor": _LINE, "axes.labelcolor": _MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False, "axes.titlesize": 10.5,
    "axes.titlecolor": _INK, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 8,
    "axes.grid": True, "axes.axisbelow": True, "grid.color": _LINE, "grid.linewidth": 0.8, "text.color": _INK,
    "xtick.color": _MUTED, "ytick.color": _MUTED, "xtick.labelcolor": _MUTED, "ytick.labelcolor": _INK,
    "xtick.major.size": 0, "ytick.major.size": 0, "xtick.labelsize": 9.5, "ytick.labelsize": 10.5,
    "legend.frameon": False, "legend.fontsize": 9.5, "legend.labelcolor": _INK,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
}  # fmt: skip

_QUALITY = (LEADING, "recall@20", "hit_rate@10")
_FATES = (("kept", "good"), ("duplicate", "soft"), ("refused", "warn"), ("passed_over", "pale"))


@dataclass(frozen=True)
class Plot:
    """One plot: ``svg`` for the page, and ``alt``, what it shows, for those who do not see it."""

    svg: str
    alt: str


def quality(metrics: Sequence[Row], name: str) -> Plot | None:
    """Each subject's leading figures on one list, with 95% intervals, fused highlighted. None without figures."""
    order = list(by_subject(metrics, name))[::-1]
    if not order:
        return None

    def draw(figure: Figure) -> None:
        figure.get_layout_engine().set(wspace=0.06)
        panels = figure.subplots(1, len(_QUALITY), sharey=True)
        for axes, metric in zip(panels, _QUALITY, strict=True):
            _intervals(axes, _cells(metrics, name, metric), order)
            axes.set_title(_title(metric))

    best = by_subject(metrics, name)[order[-1]].get(LEADING, 0.0)
    alt = f"{len(order)} subjects by {', '.join(_QUALITY)} with 95% intervals; {order[-1]} has {LEADING} {best:.4f}"
    return _plot(f"quality-{name}", (9.2, 0.75 + 0.34 * len(order)), draw, alt)


def _cells(metrics: Sequence[Row], name: str, metric: str) -> dict[str, Row]:
    wanted = (name, EVERYONE, metric)
    return {r["subject"]: r for r in metrics if (r["list"], r["segment"], r["metric"]) == wanted}


def _intervals(axes: Axes, cells: Mapping[str, Row], order: Sequence[str]) -> None:
    for place, subject in enumerate(order):
        if subject not in cells:
            continue
        row, colour = cells[subject], _ACCENT if subject == FUSED else _SOURCE
        axes.plot(
            [row["low"], row["high"]], [place, place], color=colour, linewidth=3, alpha=0.45, solid_capstyle="round"
        )
        axes.plot(row["value"], place, "o", color=colour, markersize=7 if subject == FUSED else 6)
        axes.annotate(f"{row['value']:.3f}", (row["value"], place), (0, 7), textcoords="offset points", ha="center",
                      fontsize=8.5, color=colour if subject == FUSED else _MUTED)  # fmt: skip
    axes.set_yticks(range(len(order)), order)
    axes.set_ylim(-0.6, len(order) - 0.3)
    # Room for the dots and figures at either end: a list may score 0.
    right = max((row["high"] for row in cells.values()), default=0) or 1
    axes.set_xlim(-0.04 * right, 1.08 * right)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    for label in axes.get_yticklabels():
        if label.get_text() == FUSED:
            label.set(color=_ACCENT, fontweight="bold")


def intake(reconciliation: Sequence[Row]) -> Plot | None:
    """What became of the rows of each dataset in each table, as shares, with the number read. None without rows."""
    rows = [
        row for row in sorted(reconciliation, key=lambda r: (r["table"], r["dataset"]), reverse=True) if row["read"]
    ]
    if not rows:
        return None

    def draw(figure: Figure) -> None:
        """A bar of shares for each dataset: where its rows went."""
        axes = figure.subplots()
        start = [0.0] * len(rows)
        for fate, colour in _FATES:
            shares = [100 * row[fate] / row["read"] for row in rows]
            axes.barh(range(len(rows)), shares, 0.58, start, color=_COLOURS[colour], label=fate.replace("_", " "))
            start = [a + b for a, b in zip(start, shares, strict=True)]
        for place, row in enumerate(rows):
            axes.annotate(f"{row['read']:,} read", (100, place), (8, 0), textcoords="offset points", va="center",
                          fontsize=9.5, color=_MUTED)  # fmt: skip
        axes.set_yticks(range(len(rows)), [f"{row['table']} ← {row['dataset']}" for row in rows])
        axes.set_xlim(0, 118)
        axes.spines["bottom"].set_bounds(0, 100)
        axes.set_xticks(range(0, 101, 25), [f"{tick}%" for tick in range(0, 101, 25)])
        axes.grid(visible=False, axis="y")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=len(_FATES))

    words = "; ".join(
        f"{r['table']} from {r['dataset']}: {r['read']:,} read, {r['refused']:,} refused" for r in rows[::-1]
    )
    return _plot("intake", (9.2, 0.9 + 0.33 * len(rows)), draw, f"Fate of the rows read. {words}")


def job_times(job_runs: Sequence[Row]) -> Plot | None:
    """Seconds of each job in the order in which they first started, by as-of date. None without runs."""
    runs = sorted(job_runs, key=lambda row: row["started_at"])
    if not runs:
        return None
    jobs = list(dict.fromkeys(row["job"] for row in runs))[::-1]
    days = sorted({row["as_of"] for row in runs})

    def draw(figure: Figure) -> None:
        """A bar of time for each job, in a shade for each date."""
        axes = figure.subplots()
        start = dict.fromkeys(jobs, 0.0)
        for day, colour in zip(days, _shades(len(days)), strict=True):
            for row in (row for row in runs if row["as_of"] == day):
                place = jobs.index(row["job"])
                axes.barh(place, row["seconds"], 0.62, start[row["job"]], color=colour)
                start[row["job"]] += row["seconds"]
            axes.barh(0, 0, color=colour, label=f"as of {day}")
        for place, job in enumerate(jobs):
            axes.annotate(f"{start[job]:.1f} s", (start[job], place), (6, 0), textcoords="offset points", va="center",
                          fontsize=9.5, color=_MUTED)  # fmt: skip
        axes.set_yticks(range(len(jobs)), jobs)
        axes.set_xlim(0, 1.12 * max(0.1, *start.values()))
        axes.set_xlabel("seconds")
        axes.grid(visible=False, axis="y")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=4)

    total = sum(row["seconds"] for row in runs)
    slowest = max(runs, key=lambda row: row["seconds"])
    longest = f"the longest was {slowest['job']}, {slowest['seconds']:.0f} s"
    alt = f"{len(jobs)} jobs took {total:.0f} seconds together; {longest}"
    return _plot("jobs", (9.2, 0.95 + 0.29 * len(jobs)), draw, alt)


def _shades(number: int) -> list[str]:
    names = ("soft", "source", "good", "accent", "pale", "muted")
    return [_COLOURS[names[i % len(names)]] for i in range(number)]


def training(name: str, curves: Mapping[str, Any]) -> Plot | None:
    """Loss and held-out figure by epoch; ``curves`` as of training.loop.facts_of. None without epochs."""
    epochs, loss, held_out = curves.get("epochs") or [], curves.get("loss") or [], curves.get("val") or []
    if not epochs:
        return None
    curves_of = (("Training loss", loss, _SOURCE), ("Held-out figure", held_out, _ACCENT))
    drawn = [(title, values, colour) for title, values, colour in curves_of if any(v is not None for v in values)]

    def draw(figure: Figure) -> None:
        """A curve over the epochs in each of the panels."""
        for axes, (title, values, colour) in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
            axes.plot(
                epochs,
                [float("nan") if v is None else v for v in values],
                "o-",
                color=colour,
                linewidth=2,
                markersize=5,
            )
            axes.set_title(title)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(4))
            axes.margins(0.08, 0.18)

    known = [(title, [v for v in values if v is not None]) for title, values, _ in drawn]
    words = "; ".join(f"{title} from {values[0]:.4g} to {values[-1]:.4g}" for title, values in known)
    return _plot(f"training-{name}", (9.2 * len(drawn) / 2, 2.5), draw, f"{len(epochs)} epochs of {name}. {words}")


def _title(metric: str) -> str:
    return metric.upper() if metric.startswith("ndcg") else metric.replace("_", " ").capitalize()


def _plot(name: str, size: tuple[float, float], draw: Callable[[Figure], None], alt: str) -> Plot:
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(size, layout="constrained")
        draw(figure)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return Plot(_for_the_page(drawn.getvalue(), name), alt)


def _for_the_page(svg: str, name: str) -> str:
    """The drawing without what only a file of its own needs, its ids unique in the page, its colours the page's."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    width = float(re.search(r'width="([\d.]+)pt"', svg)[1])
    svg = re.sub(
        r'<svg [^>]*viewBox="([^"]*)"[^>]*>',
        rf'<svg viewBox="\1" style="max-width:{width * 1.42:.0f}px" aria-hidden="true">',
        svg,
        count=1,
    )
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ((?:bold |\d+ )*)([\d.]+px) [^;\"]*", _font, svg)
    for colour, code in _COLOURS.items():
        svg = svg.replace(code, f"var(--{colour})")
    return svg


def _font(match: re.Match[str]) -> str:
    weight = "font-weight: 600; " if match[1].strip() in ("bold", "700") else ""
    return f"{weight}font-size: {match[2]}"
