"""Theirs beside ours: the study's figures in its own axes, ours in the same, and all ratios against their bands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from isoscope.benchmarks.report.figure import INK, Figure, Look, canvas, clean, figure, looks_of
from isoscope.benchmarks.report.plots import WIDTH, legend
from isoscope.benchmarks.reproduce.result import Reproduction, Row
from isoscope.benchmarks.reproduce.rule import Verdict
from isoscope.benchmarks.results.quantity import number

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

#: Greatest over least value beyond which an axis is logarithmic.
_WIDE = 30.0

#: Characters of a name that a plot shows.
_LONGEST = 44

#: How a verdict is drawn: never by colour alone.
_SIGNS = {
    Verdict.SAME: ("#009e73", "o", "same shape"),
    Verdict.DIFFERENT: ("#d55e00", "X", "different"),
    Verdict.NOT_COMPARABLE: ("#808890", "D", "not comparable"),
}


def figures(found: Reproduction) -> list[Figure]:
    """The ratios with their bands, then a pair of plots for each quantity of the study."""
    drawn = [ratios(found)]
    for place, kind in enumerate(dict.fromkeys((row.metric, row.unit) for row in found.rows)):
        rows = [row for row in found.rows if (row.metric, row.unit) == kind]
        drawn.append(beside(rows, name=f"reproduction-{place}", title=f"{kind[0]}, {kind[1]}"))
    return [one for one in drawn if one is not None]


def ratios(found: Reproduction) -> Figure | None:
    """Each published ratio with the band around it, and ours with its interval."""
    rows = [row for row in found.rows if row.verdict is not None and row.published_ratio and row.band and row.variant]
    if not rows:
        return None
    with canvas(WIDTH, 1.5 + 0.27 * len(rows)) as drawn:
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        axes = drawn.subplots()
        axes.set_xscale("log")
        for place, row in enumerate(rows):
            _ratio(axes, place, row)
        axes.axvline(1, color=INK, linewidth=0.8, alpha=0.6)
        axes.set_yticks(
            range(len(rows)), [f"{_clipped(row.short)}: {_clipped(_who(row))}" for row in rows], fontsize=7.5
        )
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        _decimal(axes, "x")
        axes.set_xlabel("ratio to its own baseline, there and here (logarithmic)")
        axes.grid(axis="x", color=INK, alpha=0.15, linewidth=0.6)
        shown = {row.verdict for row in rows if row.ratio is not None}
        legend(
            drawn,
            [
                Line2D([], [], color=INK, marker="|", linestyle="none", markersize=9, label="theirs"),
                Patch(facecolor=INK, alpha=0.18, label="band of the same shape"),
                *(
                    Line2D([], [], color=colour, marker=sign, linestyle="none", label=f"ours: {word}")
                    for verdict, (colour, sign, word) in _SIGNS.items()
                    if verdict in shown
                ),
            ],
        )
        words = "; ".join(
            f"{row.short}, {_who(row)}: theirs {number(row.published_ratio or 0)}, ours "
            f"{'missing' if row.ratio is None else number(row.ratio.value)}, {row.verdict}"
            for row in rows
        )
        return figure(
            drawn,
            name="reproduction-ratios",
            title="Ratios to the baseline, theirs and ours",
            alternative=f"Ratios to the baseline. {words}.",
            caption=(
                "A tick is the published ratio, the bar around it the band in which ours has the same shape; whiskers "
                "are 95 % intervals. What is grey decides nothing; the table says why."
            ),
        )


def beside(rows: Sequence[Row], *, name: str, title: str) -> Figure | None:
    """Two panels: what was published, and what was measured here, in the same unit, each on its own scale."""
    rows = [row for row in rows if row.published is not None or row.ours is not None]
    if not any(row.ours for row in rows):
        return None
    known = looks_of(dict.fromkeys(row.system for row in rows))
    lines = all(row.x is not None for row in rows)
    workloads = list(dict.fromkeys(row.short for row in rows))
    height = 3.4 if lines else 1.4 + 0.2 * len(rows)
    with canvas(WIDTH, height) as drawn:
        left, right = drawn.subplots(1, 2, sharey=not lines)
        draw: Callable[[Axes, Sequence[Row], dict[str, Look], bool], None] = _lines if lines else _bars
        for axes, ours in ((left, False), (right, True)):
            draw(axes, rows, known, ours)
            axes.set_title("here" if ours else "published", fontsize=9)
            axes.grid(axis="both" if lines else "x", color=INK, alpha=0.15, linewidth=0.6)
            axes.set_axisbelow(True)
        legend(drawn, _handles(known, {row.system for row in rows}, lines=lines))
        words = "; ".join(
            f"{workload}: "
            + ", ".join(
                f"{row.system} {_worded(row.published)} there, {_worded(row.ours.value if row.ours else None)} here"
                for row in rows
                if row.short == workload
            )
            for workload in workloads
        )
        emulated = sorted({row.system for row in rows if row.accelerator == "tcg"})
        caution = f" Here {', '.join(emulated)} ran under TCG: not KVM's figures." if emulated else ""
        return figure(
            drawn,
            name=name,
            title=title,
            alternative=f"{title}, published and here. {words}.",
            caption=(
                f"{rows[0].better.capitalize()} is better. The two scales differ: what is to be compared is how the "
                f"systems stand to each other. Whiskers are 95 % intervals.{caution}"
            ),
        )


def _ratio(axes: Axes, place: int, row: Row) -> None:
    assert row.published_ratio is not None
    assert row.band is not None
    assert row.verdict is not None
    low = row.band.low or row.published_ratio / 10
    high = row.published_ratio * 10 if row.band.high == float("inf") else row.band.high
    axes.barh(place, high - low, 0.62, left=low, color=INK, alpha=0.18)
    axes.plot([row.published_ratio], [place], color=INK, marker="|", markersize=11, markeredgewidth=1.6)
    if row.ratio is None:
        return
    colour, sign, _ = _SIGNS[row.verdict]
    span = row.ratio.interval
    if span.low is not None and span.high is not None:
        axes.plot([span.low, span.high], [place, place], color=colour, linewidth=1.6)
    axes.plot([row.ratio.value], [place], color=colour, marker=sign, markersize=6.5, linestyle="none")


def _bars(axes: Axes, rows: Sequence[Row], known: dict[str, Look], ours: bool) -> None:
    places, names, top = [], [], 0.0
    order = list(known)
    for workload in dict.fromkeys(row.short for row in rows):
        group = sorted((row for row in rows if row.short == workload), key=lambda row: order.index(row.system))
        places.append(top + (len(group) - 1) / 2)
        names.append(workload)
        for row in group:
            value = (row.ours.value if row.ours else None) if ours else row.published
            if value is None:
                axes.annotate("–", (0, top), xytext=(3, 0), textcoords="offset points", va="center", size=8)
            else:
                axes.barh(top, value, 0.82, **known[row.system].fill)
                _whisker(axes, row, top, ours=ours, upright=False)
            top += 1
        top += 0.7
    axes.set_yticks(places, [_folded(name) for name in names], fontsize=7.5)
    axes.set_ylim(top - 0.3, -0.8)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=7.5)
    _decimal(axes, "x")


def _lines(axes: Axes, rows: Sequence[Row], known: dict[str, Look], ours: bool) -> None:
    for system, look in known.items():
        points = sorted(
            (row.x, value, row)
            for row in rows
            if row.system == system and row.x is not None
            for value in [(row.ours.value if row.ours else None) if ours else row.published]
            if value is not None
        )
        axes.plot([x for x, _, _ in points], [y for _, y, _ in points], markersize=5, **look.line)
        for x, _, row in points:
            _whisker(axes, row, x, ours=ours, upright=True)
    _scaled(axes, "x", (row.x for row in rows))
    _scaled(axes, "y", (row.ours.value if row.ours else None for row in rows) if ours else (r.published for r in rows))


def _whisker(axes: Axes, row: Row, place: float, *, ours: bool, upright: bool) -> None:
    if not ours or row.ours is None or row.ours.interval.low is None or row.ours.interval.high is None:
        return
    span = [row.ours.interval.low, row.ours.interval.high]
    axes.plot(*(([place] * 2, span) if upright else (span, [place] * 2)), color=INK, linewidth=1.2, zorder=3)


def _scaled(axes: Axes, which: str, values: Iterable[float | None]) -> None:
    found = [value for value in values if value is not None]
    if found and min(found) > 0 and max(found) / min(found) > _WIDE:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    elif which == "y":
        axes.set_ylim(0, None)
    _decimal(axes, which)


def _decimal(axes: Axes, which: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    if (axes.get_xscale() if which == "x" else axes.get_yscale()) == "log":
        low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
        axis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0) if high / low < 200 else (1.0,), numticks=9))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(4))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1000 else f"{value:g}"))


def _handles(known: dict[str, Look], names: set[str], *, lines: bool) -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if lines:
        return [Line2D([], [], label=_clipped(name), **look.line) for name, look in known.items() if name in names]
    return [Patch(label=_clipped(name), **look.fill) for name, look in known.items() if name in names]


def _who(row: Row) -> str:
    return f"{row.system} ({row.accelerator})" if row.accelerator == "tcg" else row.system


def _worded(value: float | None) -> str:
    return "nothing" if value is None else number(value)


def _folded(text: str) -> str:
    from textwrap import wrap

    return "\n".join(wrap(_clipped(text), 22))


def _clipped(text: str) -> str:
    """A name as a plot has room for it; the table below has it whole."""
    name = clean(text)
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
