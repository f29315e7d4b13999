"""The kinds of plots that benchmarks draw, so that all look and read alike.

Each gives a finished `Figure` with a text alternative of its own, or None when there is nothing to draw. A variant has
the same colour, marker, line and hatch in every plot of a report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from isoscope.benchmarks.report.axes import Axis, scale
from isoscope.benchmarks.report.figure import INK, Figure, Look, canvas, clean, figure, looks_of
from isoscope.benchmarks.report.headline import columns
from isoscope.benchmarks.results.quantity import number, quantity
from isoscope.benchmarks.results.values import block_values, trial_values

if TYPE_CHECKING:
    from isoscope.benchmarks.metric import Metric
    from isoscope.benchmarks.results.run import Run
    from isoscope.benchmarks.results.statistics import Floats
    from isoscope.benchmarks.results.summary import Series
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

WIDTH = 7.6  #: inches; the report scales it to the page

#: Points of a curve beyond which not each gets a marker.
_MARKERS = 12

#: Lines of a legend for which a figure has the room, and inches for each more.
_LEGEND_LINES, _LEGEND_LINE = 4, 0.21

#: Ratios between which that one lies at which a cell of a matrix has its full tint: the matrix's greatest decides.
_FULL = (2.0, 10.0)


@dataclass(frozen=True)
class Line:
    """One line of a curve: what was measured, and the fit through it."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None  #: the interval of each y, where there is one
    high: Sequence[float] | None = None
    fit_x: Sequence[float] = ()  #: drawn thin, without markers
    fit_y: Sequence[float] = ()
    look: str = ""  #: whose look it takes, a key of `looks`; its name when empty


@dataclass(frozen=True)
class Cell:
    """A cell of a matrix: the ratio that tints it, and its words."""

    ratio: float | None
    text: str


def found(run: Run, benchmark: str, metric: Metric) -> list[Series]:
    """The series of a metric that have values, those of the harness left out."""
    return [one for one in run.results.of(benchmark, metric.name) if one.values and one.role != "harness"]


def who(series: Series) -> str:
    """Variant and accelerator of a series, without its dimensions."""
    return f"{series.variant} ({series.accelerator})" if series.accelerator else series.variant


def lines(series: Sequence[Series], label: str) -> list[Line]:
    """A line for each variant: the p50 of its series, with intervals where all have one, over a label's number."""
    by_variant: dict[str, list[Series]] = {}
    for one in sorted(series, key=lambda one: float(one.labels[label])):
        by_variant.setdefault(who(one), []).append(one)
    drawn = []
    for name, points in by_variant.items():
        spans = [one.median_interval for one in points]
        whole = all(span.low is not None for span in spans)
        drawn.append(
            Line(
                name,
                [float(one.labels[label]) for one in points],
                [one.p50 or 0.0 for one in points],
                [span.low or 0.0 for span in spans] if whole else None,
                [span.high or 0.0 for span in spans] if whole else None,
            )
        )
    return drawn


def looks(run: Run) -> dict[str, Look]:
    """Colour, marker, line of every variant (see `who`), the same in every plot of a run, and in its first table."""
    shown = [one for one in run.results.series if one.values and one.role != "harness"]
    return looks_of(dict.fromkeys([*(column.name for column in columns(run)), *map(who, shown)]))


def bars(
    run: Run,
    series: Sequence[Series],
    *,
    name: str,
    title: str,
    by: Sequence[str] = (),
    log: bool | None = None,
    caption: str = "",
) -> Figure | None:
    """The p50 of each series with its 95 % interval, variants side by side under each value of the labels `by`.

    Bars from zero on a linear axis, dots on a logarithmic one, where a bar's length would mean nothing. Where there is
    no interval, each block is a small mark. All series are of one unit.
    """
    series = [one for one in series if one.values]
    if not series:
        return None
    unit, known = series[0].metric.unit, looks(run)
    groups: dict[str, list[Series]] = {}
    for one in sorted(series, key=lambda one: list(known).index(who(one))):
        groups.setdefault(_under(one, by), []).append(one)
    order = list(dict.fromkeys(_under(one, by) for one in series))
    axis = Axis(_axis_label(series), unit, log)
    logarithmic = axis.logarithmic(one.p50 or 0 for one in series)
    rows = _rows_of([len(groups[group]) for group in order])
    with canvas(WIDTH, 1.15 + 0.235 * (rows[-1][-1] + 1)) as drawn:
        axes = drawn.subplots()
        for group, places in zip(order, rows, strict=True):
            for one, row in zip(groups[group], places, strict=True):
                _estimate(axes, row, one, block_values(run, one), known[who(one)], log=logarithmic)
        _room(axes, log=logarithmic)
        scale(axes, "x", axis, log=logarithmic)
        axes.set_yticks([float(np.mean(places)) for places in rows], [_fold(group) for group in order])
        axes.set_ylim(rows[-1][-1] + 0.8, -0.8)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(not logarithmic)
        legend(drawn, _handles(known, {who(one) for one in series}, log=logarithmic))
        words = "; ".join(f"{one.name}: {_worded(one)}" for one in series)
        marks = "Whiskers are 95 % intervals of the p50" if _interval(series[0]) else "Small marks are the blocks"
        return figure(
            drawn,
            name=name,
            title=title,
            alternative=f"{title}, p50. {words}.",
            caption=_sentences(caption, f"{marks}; {_better(series)}."),
        )


def ecdf(run: Run, series: Sequence[Series], *, name: str, title: str, caption: str = "") -> Figure | None:
    """Which share of a series' values was at most so great. All series are of one unit."""
    series = [one for one in series if one.values]
    if not series:
        return None
    known = looks(run)
    alone = len({who(one) for one in series}) == len(series)
    own = known if alone else looks_of([one.name for one in series])
    axis = Axis(_axis_label(series), series[0].metric.unit)
    with canvas(WIDTH, 3.6) as drawn:
        axes = drawn.subplots()
        values = [trial_values(run, one) for one in series]
        for one, ascending in zip(series, values, strict=True):
            axes.step(
                np.append(ascending[0], ascending),
                np.append(0, np.arange(1, len(ascending) + 1) / len(ascending)),
                where="post",
                markersize=5,
                markevery=max(1, len(ascending) // _MARKERS),
                label=f"{clean(who(one) if alone else one.name)}, p50 {quantity(one.p50, one.metric.unit)}",
                **own[who(one) if alone else one.name].line,
            )
        scale(axes, "x", axis, log=axis.logarithmic(float(value) for several in values for value in several))
        axes.set_ylim(0, 1.02)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 0.9, 1], ["0", "25 %", "50 %", "75 %", "90 %", "100 %"])
        axes.set_ylabel("share of values at most so great")
        legend(drawn, axes.get_legend_handles_labels()[0])
        words = "; ".join(
            f"{one.name}: half at most {quantity(one.p50, one.metric.unit)}, 90 % at most "
            f"{quantity(one.p90, one.metric.unit)}"
            for one in series
        )
        return figure(
            drawn,
            name=name,
            title=title,
            alternative=f"{title}: cumulative distribution. {words}.",
            caption=_sentences(caption, f"Each step is a value; the steeper, the steadier; {_better(series)}."),
        )


def curve(
    run: Run,
    lines: Sequence[Line],
    *,
    x: Axis,
    y: Axis,
    name: str,
    title: str,
    alternative: str = "",
    caption: str = "",
) -> Figure | None:
    """Lines with markers, an error bar where a point has an interval, and thin dotted fits.

    `alternative` is what the plot shows, in words; by default the first and the last point of every line.
    """
    lines = [line for line in lines if len(line.x)]
    if not lines:
        return None
    keys = [line.look or line.name for line in lines]
    known = looks(run)
    own = known if known.keys() >= set(keys) else looks_of(keys)
    with canvas(WIDTH, 3.6) as drawn:
        axes = drawn.subplots()
        for line, key in zip(lines, keys, strict=True):
            _draw_line(axes, line, own[key])
        scale(axes, "x", x, log=x.logarithmic(value for line in lines for value in line.x))
        y_log = y.logarithmic(value for line in lines for value in line.y)
        if not y_log and min(value for line in lines for value in line.y) >= 0:
            axes.set_ylim(0, None)
        scale(axes, "y", y, log=y_log)
        legend(drawn, axes.get_legend_handles_labels()[0])
        return figure(
            drawn,
            name=name,
            title=title,
            alternative=alternative or f"{title}. " + " ".join(_ends(line, x, y) for line in lines),
            caption=caption,
        )


def tails(
    run: Run,
    lines: Mapping[str, Mapping[str, float]],
    *,
    unit: str,
    label: str,
    name: str,
    title: str,
    caption: str = "",
) -> Figure | None:
    """How far the tail reaches: for each name its percentiles (`p50`, `p99`, ...), at even distances, in order."""
    lines = {key: points for key, points in lines.items() if points}
    if not lines:
        return None
    columns = sorted({text for points in lines.values() for text in points}, key=lambda text: float(text.lstrip("p")))
    known = looks(run)
    own = known if known.keys() >= lines.keys() else looks_of(list(lines))
    with canvas(WIDTH, 3.4) as drawn:
        axes = drawn.subplots()
        for key, points in lines.items():
            places = [place for place, text in enumerate(columns) if text in points]
            axes.plot(places, [points[columns[place]] for place in places], label=clean(key), **own[key].line)
        axes.set_xticks(range(len(columns)), columns)
        axes.margins(x=0.04)
        axis = Axis(label, unit)
        scale(axes, "y", axis, log=axis.logarithmic(value for points in lines.values() for value in points.values()))
        legend(drawn, axes.get_legend_handles_labels()[0])
        words = "; ".join(
            f"{key}: " + ", ".join(f"{text} {quantity(points[text], unit)}" for text in columns if text in points)
            for key, points in lines.items()
        )
        return figure(
            drawn,
            name=name,
            title=title,
            alternative=f"{title}. {words}.",
            caption=_sentences(caption, "The flatter a line, the less its slowest cases differ from the usual one."),
        )


def matrix(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[str, str], Cell],
    *,
    name: str,
    title: str,
    caption: str = "",
) -> Figure | None:
    """Words in every cell, on a tint that deepens with its ratio: orange above 1, blue below; none at 1."""
    if not cells:
        return None
    ratios = [max(cell.ratio, 1 / cell.ratio) for cell in cells.values() if cell.ratio is not None and cell.ratio > 0]
    full = min(_FULL[1], max(_FULL[0], *ratios)) if ratios else _FULL[1]
    with canvas(WIDTH, 0.5 + 0.42 * len(rows)) as drawn:
        axes = drawn.subplots()
        for down, row in enumerate(rows):
            for right, column in enumerate(columns):
                _cell(axes, right, down, cells.get((row, column), Cell(None, "–")), full)
        axes.set_xlim(-0.5, len(columns) - 0.5)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.xaxis.tick_top()
        axes.set_xticks(range(len(columns)), [_fold(column, 120 // len(columns) // 2) for column in columns])
        axes.set_yticks(range(len(rows)), [_fold(row) for row in rows])
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        words = " ".join(
            f"{row}: "
            + "; ".join(f"{column} {cells[row, column].text}" for column in columns if (row, column) in cells)
            + "."
            for row in rows
        )
        return figure(drawn, name=name, title=title, alternative=f"{title}. {words}", caption=caption)


def legend(drawn: Canvas, handles: Sequence[Artist]) -> None:
    """Above the axes, in as many columns as the longest name leaves room for; the figure grows by a long one."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, min(6, 80 // (longest + 6)))
    rows = ceil(len(handles) / columns)
    drawn.set_figheight(drawn.get_figheight() + max(0, rows - _LEGEND_LINES) * _LEGEND_LINE)
    drawn.legend(handles=handles, loc="outside upper left", ncols=columns)


def _under(one: Series, by: Sequence[str]) -> str:
    return ", ".join(str(one.labels[key]) for key in by if key in one.labels)


def _rows_of(sizes: Sequence[int]) -> list[list[float]]:
    """Where each group's rows stand, with a gap between groups."""
    places, top = [], 0.0
    for size in sizes:
        places.append([top + row for row in range(size)])
        top += size + 0.7
    return places


def _estimate(axes: Axes, row: float, one: Series, blocks: Floats, look: Look, *, log: bool) -> None:
    value = one.p50 or 0.0
    if log:
        axes.plot([value], [row], markersize=7, **look.point)
    else:
        axes.barh(row, value, 0.82, **look.fill)
    reach = value
    if span := _interval(one):
        axes.plot(span, [row, row], color=INK, linewidth=1.4, marker="|", markersize=7, zorder=3)
        reach = max(reach, span[1])
    elif len(blocks) > 1:
        rows = np.full(len(blocks), row)
        if log:  # below the median's own mark
            axes.scatter(blocks, rows, s=45, marker="|", color=INK, linewidths=1, zorder=1)
        else:  # legible on a bar of any colour
            axes.scatter(blocks, rows, s=11, facecolors="#ffffff", edgecolors=INK, linewidths=0.8, zorder=3)
        reach = max(reach, float(blocks.max()))
    axes.annotate(
        quantity(value, one.metric.unit), (reach, row), xytext=(7, 0), textcoords="offset points", va="center", size=8
    )


def _room(axes: Axes, *, log: bool) -> None:
    """Limits that leave room for the figures behind the bars."""
    if log:
        axes.set_xscale("log")
        low, high = axes.dataLim.minposx, axes.dataLim.x1
        decades = max(1.0, float(np.log10(high / low)))
        axes.set_xlim(low / 10 ** (0.05 * decades), high * 10 ** (0.16 * decades))
    else:
        low, high = axes.get_xlim()
        axes.set_xlim(low, high + 0.12 * (high - low))


def _interval(one: Series) -> tuple[float, float] | None:
    low, high = one.median_interval.low, one.median_interval.high
    return None if low is None or high is None else (low, high)


def _handles(known: dict[str, Look], names: set[str], *, log: bool) -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if log:
        return [Line2D([], [], label=clean(name), **look.point) for name, look in known.items() if name in names]
    return [Patch(label=clean(name), **look.fill) for name, look in known.items() if name in names]


def _draw_line(axes: Axes, line: Line, look: Look) -> None:
    every = max(1, len(line.x) // (2 * _MARKERS))
    axes.plot(line.x, line.y, label=clean(line.name), markersize=5, markevery=every, **look.line)
    if line.low is not None and line.high is not None:
        axes.vlines(line.x, line.low, line.high, color=look.colour, linewidth=1.2)
    if len(line.fit_x):
        axes.plot(line.fit_x, line.fit_y, color=look.colour, linestyle=":", linewidth=1)


def _cell(axes: Axes, right: int, down: int, cell: Cell, full: float) -> None:
    from matplotlib.patches import Rectangle

    if cell.ratio is not None and cell.ratio > 0:
        depth = min(1.0, abs(float(np.log(cell.ratio))) / float(np.log(full)))
        colour = "#d55e00" if cell.ratio > 1 else "#0072b2"
        axes.add_patch(
            Rectangle((right - 0.48, down - 0.46), 0.96, 0.92, facecolor=colour, alpha=0.6 * depth, linewidth=0)
        )
    axes.text(right, down, clean(cell.text), ha="center", va="center", size=8.5)


def _axis_label(series: Sequence[Series]) -> str:
    return ", ".join(dict.fromkeys(one.metric.name for one in series))


def _better(series: Sequence[Series]) -> str:
    return f"{series[0].metric.direction} is better"


def _worded(one: Series) -> str:
    words = quantity(one.p50, one.metric.unit)
    if span := _interval(one):
        words += f", 95 % interval {quantity(span[0], one.metric.unit)} to {quantity(span[1], one.metric.unit)}"
    if one.ratio and one.ratio.value is not None:
        words += f", {number(one.ratio.value)} times {one.ratio.to}"
    return words


def _ends(line: Line, x: Axis, y: Axis) -> str:
    return (
        f"{line.name}: {quantity(line.y[0], y.unit)} at {quantity(line.x[0], x.unit)}, "
        f"{quantity(line.y[-1], y.unit)} at {quantity(line.x[-1], x.unit)}."
    )


def _fold(text: str, width: int = 28) -> str:
    """A name in lines of at most so many characters."""
    from textwrap import wrap

    return "\n".join(wrap(clean(text), max(8, width)))


def _sentences(*texts: str) -> str:
    return " ".join(text for text in texts if text)
