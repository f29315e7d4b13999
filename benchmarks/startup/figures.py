"""The figures of `startup`: when each variant was ready, and where the time went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.report.figure import INK, Figure, canvas, clean, figure, styles
from isoscope.benchmarks.report.plots import bars, found
from isoscope.benchmarks.startup.metrics import MAKESPAN, PHASES, STARTUP
from isoscope.core.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from isoscope.benchmarks.results.run import Run
    from isoscope.benchmarks.results.summary import Series
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.patches import Patch

_WIDTH = 7.6  # inches; the report scales it to the page

#: Fill and hatch of each phase. Container and VM share hues that never stand in one bar.
_FILLS = {
    "cgroup": ("#e69f00", ""),
    "network": ("#56b4e9", ""),
    "clone": ("#009e73", ""),
    "rootfs": ("#f0e442", ""),
    "define": ("#e69f00", "//"),
    "vmm": ("#d55e00", ""),
    "kernel": ("#0072b2", ""),
    "init": ("#cc79a7", ""),
    "exec": ("#9aa0a6", ""),
    "ready": ("#d5d8dc", ".."),
}
_OTHERS = (("#56b4e9", "\\\\"), ("#009e73", "\\\\"), ("#cc79a7", "\\\\"), ("#d55e00", "\\\\"))


def figures(run: Run) -> list[Figure]:
    """The ECDF of each headline metric, and the phases; none of what was not measured."""
    drawn = [_ecdf(run, metric) for metric in STARTUP]
    return [one for one in (_makespan(run), drawn[0], _phases(run), drawn[1]) if one is not None]


def _makespan(run: Run) -> Figure | None:
    at_once = run.terms.subject("startup").options.get("at-once")
    return bars(
        run,
        found(run, "startup", MAKESPAN),
        name="startup-makespan",
        title=f"Until the last of {at_once} instances asked for at once is ready",
    )


def _values(run: Run, series: Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    frame = run.trials
    mask = (
        (frame["benchmark"] == series.benchmark)
        & (frame["metric"] == series.metric.name)
        & (frame["variant"] == series.variant)
        & (frame["accelerator"] == series.accelerator)
        & (frame["status"] == "ok")
        & ~frame["warmup"]
    )
    return np.sort(frame.loc[mask, "value"].to_numpy(dtype=np.float64))


def _ecdf(run: Run, metric: Metric) -> Figure | None:
    found = [one for one in run.results.of("startup", metric.name, "headline") if one.values]
    if not found:
        return None
    looks = styles([one.name for one in found])
    with canvas(_WIDTH, 3.6) as drawn:
        axes = drawn.subplots()
        for one in found:
            values = _values(run, one)
            heights = np.arange(1, len(values) + 1) / len(values)
            axes.step(
                np.append(values[0], values),
                np.append(0, heights),
                where="post",
                markersize=5,
                markevery=max(1, len(values) // 12),
                label=f"{clean(one.name)}, p50 {format_duration(one.p50 or 0)}",
                **looks[one.name],
            )
        _time_axis(axes)
        axes.set_ylim(0, 1.02)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 0.9, 1], ["0", "25 %", "50 %", "75 %", "90 %", "100 %"])
        axes.set_ylabel("trials that took at most so long")
        axes.set_xlabel(f"{metric.name} (logarithmic)")
        _legend(drawn, axes.get_legend_handles_labels()[0])
        words = "; ".join(
            f"{one.name}: half within {format_duration(one.p50 or 0)}, 90 % within {format_duration(one.p90 or 0)}"
            for one in found
        )
        return figure(
            drawn,
            name=f"{metric.name.replace('.', '-')}-ecdf",
            title=f"Distribution of {metric.name}",
            alternative=f"Cumulative distribution of {metric.name}. {words}.",
            caption="Each step is a trial. Further left is faster; the steeper, the steadier.",
        )


def _moments(run: Run, series: Series) -> pd.Series[float]:
    """When each phase ended, counted from start(): medians over the trials, the last of which is p50 of startup.ready.

    Medians of the phases themselves would not add up; those of the moments do, and stay in order.
    """
    frame = run.trials
    rows = frame[
        (frame["benchmark"] == "startup")
        & (frame["variant"] == series.variant)
        & (frame["accelerator"] == series.accelerator)
        & (frame["status"] == "ok")
        & ~frame["warmup"]
        & frame["metric"].str.startswith("phase.")
    ]
    phases = rows["metric"].drop_duplicates().str.removeprefix("phase.")
    table = rows.pivot_table(index="trial", columns="metric", values="value", aggfunc="first")
    return table[[f"phase.{name}" for name in phases]].set_axis(list(phases), axis=1).cumsum(axis=1).median()


def _phases(run: Run) -> Figure | None:
    found = [one for one in run.results.of("startup", "startup.ready", "headline") if one.values]
    moments = {one.name: ends for one in found if len(ends := _moments(run, one))}
    if not moments:
        return None
    fills = _fills([phase for ends in moments.values() for phase in ends.index])
    with canvas(_WIDTH, 1.7 + 1.0 * len(moments)) as drawn:
        absolute, share = drawn.subplots(2, 1)
        first = min(float(ends.iloc[ends.to_numpy().nonzero()[0][0]]) for ends in moments.values())
        left = 10 ** np.floor(np.log10(first))
        for row, ends in enumerate(moments.values()):
            _bar(absolute, row, np.maximum(np.append(0, ends), left), ends.index, fills)
            total = float(ends.iloc[-1])
            absolute.annotate(
                f" {format_duration(total)}", (total, row), xytext=(2, 0), textcoords="offset points", va="center"
            )
            _bar(share, row, np.append(0, ends) / total * 100, ends.index, fills)
            _inscribe(share, row, ends, fills)
        absolute.set_xlim(left, max(float(ends.iloc[-1]) for ends in moments.values()) * 4)
        _time_axis(absolute)
        absolute.set_xlabel("time since start() (logarithmic: later phases look shorter than they are)")
        share.set_xlim(0, 100)
        share.set_xlabel("share of startup.ready, %")
        for axes in (absolute, share):
            axes.set_yticks(range(len(moments)), [clean(name) for name in moments])
            axes.invert_yaxis()
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0)
        _legend(drawn, _patches(fills))
        return figure(
            drawn,
            name="startup-phases",
            title="Where the time goes: phases of startup.ready",
            alternative=f"Phases of startup.ready. {_words(moments)}",
            caption=(
                "Above, when each phase ended, all variants on one time axis; below, each phase's share with its "
                "duration. Ends of bars are medians over the trials, so that phases add up to the p50 of startup.ready."
            ),
        )


def _bar(axes: Axes, row: int, edges: Any, phases: Any, fills: dict[str, tuple[str, str]]) -> None:
    for phase, start, end in zip(phases, edges, edges[1:], strict=False):
        colour, hatch = fills[phase]
        axes.barh(row, end - start, left=start, height=0.62, color=colour, hatch=hatch, edgecolor=INK, linewidth=0.5)


def _inscribe(axes: Axes, row: int, ends: pd.Series[float], fills: dict[str, tuple[str, str]]) -> None:
    """Name and duration in those parts of a bar that have the room."""
    total = float(ends.iloc[-1])
    before = 0.0
    for phase, end in ends.items():
        if (end - before) / total > 0.12:
            dark = fills[str(phase)][0] == "#0072b2"
            axes.text(
                (before + end) / 2 / total * 100,
                row,
                f"{clean(str(phase))}\n{format_duration(end - before)}",
                ha="center",
                va="center",
                fontsize=7.5,
                color="#ffffff" if dark else "#111111",
                bbox={"facecolor": fills[str(phase)][0], "edgecolor": "none", "pad": 1},  # above the hatch
            )
        before = end


def _fills(phases: list[str]) -> dict[str, tuple[str, str]]:
    """The look of every phase that occurs, ours in the order of the registry, then those of strangers."""
    found = dict.fromkeys([*(name for name in PHASES if name in phases), *phases])
    others = [name for name in found if name not in _FILLS]
    return {name: _FILLS.get(name) or _OTHERS[others.index(name) % len(_OTHERS)] for name in found}


def _patches(fills: dict[str, tuple[str, str]]) -> list[Patch]:
    from matplotlib.patches import Patch

    return [
        Patch(facecolor=colour, hatch=hatch, edgecolor=INK, linewidth=0.5, label=clean(phase))
        for phase, (colour, hatch) in fills.items()
    ]


def _legend(drawn: Canvas, handles: Sequence[Artist]) -> None:
    """Above the axes, in as many columns as the longest name leaves room for."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    drawn.legend(handles=handles, loc="outside upper left", ncols=max(1, min(6, 80 // (longest + 6))))


def _words(moments: dict[str, pd.Series[float]]) -> str:
    sentences = []
    for name, ends in moments.items():
        spans = np.diff(ends.to_numpy(), prepend=0.0).tolist()
        parts = ", ".join(f"{phase} {format_duration(span)}" for phase, span in zip(ends.index, spans, strict=True))
        sentences.append(f"{name}: {parts}.")
    return " ".join(sentences)


def _time_axis(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    few = high / low < 50
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_duration(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="x", color=INK, alpha=0.15, linewidth=0.6)
    axes.set_axisbelow(True)
