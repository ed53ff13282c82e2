"""Charts as SVG, drawn by matplotlib, in the colours of the page.

Matplotlib takes half a second to import, so only the report imports it. What it writes is made fit
for a page that holds many charts: text stays text, colours become variables of the style sheet (so
that a dark page has dark charts), identifiers are unique in the page, and every bar and curve is an
element of the class ``mark`` with its value as its title. Charts are as wide as a phone; on a wider
screen several stand side by side.
"""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

_WIDTH = 4.6  # inches, of 72 points: 331 pixels of a phone
_ROW = 0.4  # inches per bar, with its label above it
# Colours that stand for variables of the style sheet.
_COLOURS = {
    "#010101": "--text",
    "#010102": "--muted",
    "#010103": "--grid",
    "#010104": "--kept",
    "#010105": "--rejected",
    "#010106": "--limit",
}
_TEXT, _MUTED, _GRID, KEPT, REJECTED, LIMIT = _COLOURS
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "corpusmill",
    "font.size": 10,
    "text.color": _TEXT,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _MUTED,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 9,
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn chart: SVG to put into a page, and what it shows in one sentence."""

    svg: str
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar with a label above it, and perhaps a second value that continues it."""

    name: str
    value: float
    text: str  # the value as the page writes it
    second: float = 0.0


@dataclass(frozen=True, slots=True)
class Limit:
    """A line across a histogram: a threshold, and its name."""

    value: float
    name: str


class _Marks:
    """Gives the elements of a chart their names, and remembers their titles."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def name(self, element: Any, title: str) -> None:
        element.set_gid(f"mark-{len(self.titles)}")
        self.titles.append(title)


def bars(label: str, rows: Sequence[Bar], colour: str = KEPT) -> Chart:
    """Draw horizontal bars, the first on top; a second value continues its bar."""
    marks = _Marks()
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(_WIDTH, _ROW * len(rows) + 0.1))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        longest = max((row.value + row.second for row in rows), default=0) or 1
        for number, row in enumerate(rows):
            (bar,) = axes.barh(number, row.value / longest, height=0.36, color=colour)
            marks.name(bar, f"{row.name}: {row.text}")
            if row.second:
                (bar,) = axes.barh(
                    number,
                    row.second / longest,
                    left=row.value / longest,
                    height=0.36,
                    color=REJECTED,
                )
                marks.name(bar, f"{row.name}: {row.text}")
            axes.text(0, number - 0.27, row.name, ha="left", va="bottom", color=_TEXT)
            axes.text(1, number - 0.27, row.text, ha="right", va="bottom", color=_MUTED)
        axes.set_xlim(0, 1)
        axes.set_ylim(len(rows) - 0.7, -0.9)
        return _chart(figure, label, marks)


def histogram(
    label: str,
    edges: Sequence[float],
    kept: Sequence[int],
    rejected: Sequence[int],
    *,
    unit: str,
    log: bool = False,
    limits: Sequence[Limit] = (),
) -> Chart:
    """Draw kept documents and, on top of them, rejected ones, by the value that was measured."""
    marks = _Marks()
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(_WIDTH, 2.3))
        axes = figure.add_axes((0.13, 0.21, 0.85, 0.66))
        for number, (low, high) in enumerate(pairwise(edges)):
            k, r = kept[number], rejected[number]
            title = f"{short(low)} to {short(high)}: {k:,} kept, {r:,} rejected"
            for value, bottom, colour in ((k, 0, KEPT), (r, k, REJECTED)):
                if value:
                    (bar,) = axes.bar(
                        low, value, high - low, bottom=bottom, align="edge", color=colour
                    )
                    marks.name(bar, title)
        if log:
            axes.set_xscale("log")
            axes.minorticks_off()
        axes.set_xlim(edges[0], edges[-1])
        for number, limit in enumerate(limits):
            if edges[0] <= limit.value <= edges[-1]:
                side = ("right", "left")[number] if len(limits) == 2 else "center"
                line = axes.axvline(limit.value, color=LIMIT, linewidth=1.2)
                marks.name(line, f"{limit.name}: {limit.value:g}")
                axes.text(
                    limit.value,
                    1.03,
                    limit.name,
                    transform=axes.get_xaxis_transform(),
                    ha=_side(limit.value, edges, side, log=log),
                    color=LIMIT,
                    fontsize=9,
                )
        _axes(axes, unit)
        if log and edges[-1] / edges[0] < 300:  # few powers of ten
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        return _chart(figure, label, marks)


def _side(value: float, edges: Sequence[float], wanted: str, *, log: bool) -> str:
    """Return how the name of a limit is aligned, so that it stays in the chart."""
    low, high, at = (math.log(v) if log else v for v in (edges[0], edges[-1], value))
    place = (at - low) / (high - low)
    return "left" if place < 0.15 else "right" if place > 0.85 else wanted


def curve(
    label: str, points: Sequence[tuple[float, float]], *, unit: str, limits: Sequence[Limit] = ()
) -> Chart:
    """Draw a curve, and horizontal lines to compare it with."""
    marks = _Marks()
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(_WIDTH, 2.5))
        axes = figure.add_axes((0.13, 0.19, 0.85, 0.74))
        (line,) = axes.plot(*zip(*points, strict=True), color=KEPT, linewidth=1.5)
        marks.name(line, label)
        for limit in limits:
            across = axes.axhline(limit.value, color=LIMIT, linewidth=1.2)
            marks.name(across, f"{limit.name}: {limit.value:.3f}")
            axes.text(
                1.0,
                limit.value,
                limit.name,
                transform=axes.get_yaxis_transform(),
                ha="right",
                va="bottom",
                color=LIMIT,
                fontsize=9,
            )
        _axes(axes, unit)
        return _chart(figure, label, marks)


def pairs(label: str, names: tuple[str, str], rows: Sequence[tuple[str, float, float]]) -> Chart:
    """Draw two bars per row, such as our figure and the paper's."""
    marks = _Marks()
    with mpl.rc_context(_SETTINGS):
        high = 0.5 * len(rows) + 0.45  # inches, of which the legend takes the last part
        figure = Figure(figsize=(_WIDTH, high))
        axes = figure.add_axes((0.3, 0.05 / high, 0.6, 0.5 * len(rows) / high))
        for number, (name, ours, theirs) in enumerate(rows):
            for value, shift, colour, who in (
                (ours, -0.2, KEPT, names[0]),
                (theirs, 0.2, REJECTED, names[1]),
            ):
                (bar,) = axes.barh(
                    number + shift, value, 0.36, color=colour, label=who if not number else None
                )
                marks.name(bar, f"{name}, {who}: {value:.3g}")
                axes.text(value, number + shift, f" {value:.3g}", va="center", fontsize=8.5)
        axes.set_yticks(range(len(rows)), [row[0] for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.tick_params(length=0)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=2)
        return _chart(figure, label, marks)


def _axes(axes: Any, unit: str) -> None:
    axes.set_xlabel(unit)
    axes.tick_params(length=0)
    axes.grid(axis="y", color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def short(value: float) -> str:
    """Return a number for an axis.

    >>> short(12_000), short(1_500_000), short(0.25), short(250)
    ('12k', '1.5M', '0.25', '250')
    """
    for size, unit in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _chart(figure: Figure, label: str, marks: _Marks) -> Chart:
    stream = io.StringIO()
    # No date and no name of the program: equal runs give equal pages.
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(stream, format="svg", metadata=nothing)
    return Chart(_for_a_page(stream.getvalue(), label, marks.titles), label)


def _for_a_page(svg: str, label: str, titles: Sequence[str]) -> str:
    """Make a file of matplotlib's an element of a page."""
    svg = svg[svg.index("<svg ") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</defs>", "", svg, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None
    head = f'<svg class="chart" {box[0]} role="img" aria-label="{escape(label)}">'
    svg = head + svg[svg.index(">") + 1 :]
    for colour, variable in _COLOURS.items():
        svg = svg.replace(colour, f"var({variable})")
    svg = re.sub(
        r'<g id="mark-(\d+)">',
        lambda found: f'<g class="mark"><title>{escape(titles[int(found[1])])}</title>',
        svg,
    )
    used = {found[1] for found in re.finditer(r'(?:url\(|href=")#([\w-]+)', svg)}
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r"<!--.*?-->|\n\s*", lambda found: " " if "\n" in found[0] else "", svg)
    return svg.replace("> <", "><")


def with_unique_names(svg: str, prefix: str) -> str:
    """Put a prefix before the identifiers of a chart, and before what refers to them."""
    svg = re.sub(r' id="', f' id="{prefix}-', svg)
    return re.sub(r'(url\(|href=")#', rf"\1#{prefix}-", svg)
