"""The figures of `startup`: when each variant was ready, and where the time went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.report.axes import Axis, scale
from isoscope.benchmarks.report.figure import Figure, canvas, clean, figure
from isoscope.benchmarks.report.plots import WIDTH, Line, bars, curve, ecdf, found, legend, who
from isoscope.benchmarks.startup.look import bar, fills_of, patches
from isoscope.benchmarks.startup.metrics import MAKESPAN, STARTUP
from isoscope.core.units import format_duration

if TYPE_CHECKING:
    import pandas as pd
    from isoscope.benchmarks.results.run import Run
    from isoscope.benchmarks.results.summary import Series
    from matplotlib.axes import Axes


def figures(run: Run) -> list[Figure]:
    """The ECDF of each headline metric, and the phases; none of what was not measured."""
    ready, total = (_ecdf(run, metric) for metric in STARTUP)
    return [one for one in (*_makespans(run), ready, _phases(run), total) if one is not None]


def _ecdf(run: Run, metric: Metric) -> Figure | None:
    return ecdf(
        run,
        run.results.of("startup", metric.name, "headline"),
        name=f"{metric.name.replace('.', '-')}-ecdf",
        title=f"Distribution of {metric.name}",
    )


def _makespans(run: Run) -> list[Figure | None]:
    """Bars for one number at once and one beside, and else a curve over each of the two that has several."""
    series = found(run, "startup", MAKESPAN)
    if len({(one.labels.get("at_once"), one.labels.get("beside")) for one in series}) < 2:
        at_once = run.terms.subject("startup").options.get("at-once")
        title = f"Until the last of {at_once} instances asked for at once is ready"
        return [bars(run, series, name="startup-makespan", title=title)]
    return [
        _curve(run, series, "at_once", "beside", Axis("instances asked for at once")),
        _curve(run, series, "beside", "at_once", Axis("others that run")),
    ]


def _curve(run: Run, series: list[Series], along: str, fixed: str, axis: Axis) -> Figure | None:
    """The makespan along one number, a line for each variant and each value of the other number."""
    lines: dict[tuple[str, str], list[Series]] = {}
    for one in series:
        other = f", {fixed.replace('_', ' ')} {one.labels[fixed]}" if fixed in one.labels else ""
        if along in one.labels:
            lines.setdefault((who(one), who(one) + other), []).append(one)
    drawn = []
    for (variant, name), several in lines.items():
        several.sort(key=lambda one: int(one.labels[along]))
        intervals = [(one.median_interval.low, one.median_interval.high) for one in several]
        known = all(low is not None for low, _ in intervals)
        drawn.append(
            Line(
                name=name,
                x=[float(one.labels[along]) for one in several],
                y=[one.p50 or 0.0 for one in several],
                low=[low or 0.0 for low, _ in intervals] if known else None,
                high=[high or 0.0 for _, high in intervals] if known else None,
                look=variant if len({key[0] for key in lines}) == len(lines) else "",
            )
        )
    drawn = [line for line in drawn if len(line.x) > 1]
    return curve(
        run,
        drawn,
        x=axis,
        y=Axis(MAKESPAN.name, MAKESPAN.unit),
        name=f"startup-makespan-{along.replace('_', '-')}",
        title=f"Until the last is ready, against {axis.label}",
        caption="Medians over the blocks. Lower is better.",
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
    if series.labels:
        alike = [all(labels.get(key) == value for key, value in series.labels.items()) for labels in rows["labels"]]
        rows = rows[np.asarray(alike, dtype=bool)]
    phases = rows["metric"].drop_duplicates().str.removeprefix("phase.")
    table = rows.pivot_table(index="trial", columns="metric", values="value", aggfunc="first")
    return table[[f"phase.{name}" for name in phases]].set_axis(list(phases), axis=1).cumsum(axis=1).median()


def _phases(run: Run) -> Figure | None:
    found = [one for one in run.results.of("startup", "startup.ready", "headline") if one.values]
    moments = {one.name: ends for one in found if len(ends := _moments(run, one))}
    if not moments:
        return None
    fills = fills_of([phase for ends in moments.values() for phase in ends.index])
    with canvas(WIDTH, 1.7 + 1.0 * len(moments)) as drawn:
        absolute, share = drawn.subplots(2, 1)
        first = min(float(ends.iloc[ends.to_numpy().nonzero()[0][0]]) for ends in moments.values())
        left = 10 ** np.floor(np.log10(first))
        for row, ends in enumerate(moments.values()):
            bar(absolute, row, np.maximum(np.append(0, ends), left), ends.index, fills)
            total = float(ends.iloc[-1])
            absolute.annotate(
                f" {format_duration(total)}", (total, row), xytext=(2, 0), textcoords="offset points", va="center"
            )
            bar(share, row, np.append(0, ends) / total * 100, ends.index, fills)
            _inscribe(share, row, ends, fills)
        absolute.set_xlim(left, max(float(ends.iloc[-1]) for ends in moments.values()) * 4)
        scale(absolute, "x", Axis("time since start(), where later phases look shorter than they are", "ns"), log=True)
        share.set_xlim(0, 100)
        share.set_xlabel("share of startup.ready, %")
        for axes in (absolute, share):
            axes.set_yticks(range(len(moments)), [clean(name) for name in moments])
            axes.invert_yaxis()
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0)
        legend(drawn, patches(fills))
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


def _words(moments: dict[str, pd.Series[float]]) -> str:
    sentences = []
    for name, ends in moments.items():
        spans = np.diff(ends.to_numpy(), prepend=0.0).tolist()
        parts = ", ".join(f"{phase} {format_duration(span)}" for phase, span in zip(ends.index, spans, strict=True))
        sentences.append(f"{name}: {parts}.")
    return " ".join(sentences)
