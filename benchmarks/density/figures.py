"""The figures of `density`: memory with its fit, and start-up, against instances running."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import linear_regression
from typing import TYPE_CHECKING

from isoscope.benchmarks.density import metrics
from isoscope.benchmarks.report.axes import Axis
from isoscope.benchmarks.report.plots import Line, bars, curve, found, who
from isoscope.benchmarks.results.quantity import quantity
from isoscope.benchmarks.startup.metrics import STARTUP

if TYPE_CHECKING:
    from isoscope.benchmarks.metric import Metric
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run
    from isoscope.benchmarks.results.summary import Series

_NAME = "density"
_RUNNING = Axis("instances running", "1")


def figures(run: Run) -> list[Figure]:
    """What was measured of: two memory curves, start-up against instances, and how many fit."""
    drawn = [
        _memory(run, metrics.PSS, metrics.MARGINAL_PSS, "Memory of the instances' processes (sum of Pss)"),
        _memory(run, metrics.USED_MEMORY, metrics.MARGINAL_MEMORY, "Memory of the host (fall of MemAvailable)"),
        _startup(run),
        bars(
            run,
            found(run, _NAME, metrics.FITS),
            name="density-fits",
            title="How many instances fit",
            by=("host",) if len({one.labels.get("host") for one in found(run, _NAME, metrics.FITS)}) > 1 else (),
            caption="Extrapolated from the ramp by the slopes of all limits that are known.",
        ),
    ]
    return [one for one in drawn if one is not None]


def _memory(run: Run, metric: Metric, slope: Metric, title: str) -> Figure | None:
    lines = [_with_fit(line) for line in _lines(run, metric)]
    slopes = "; ".join(
        f"{who(one)}: {quantity(one.p50, one.metric.unit)} for one more instance" for one in found(run, _NAME, slope)
    )
    return curve(
        run,
        lines,
        x=_RUNNING,
        y=Axis(metric.name, "B"),
        name=metric.name.replace(".", "-"),
        title=f"{title} against instances running",
        alternative=f"{title} against instances running. {slopes}." if slopes else "",
        caption=(
            "Points are medians over the blocks, the dotted line a least-squares line through them: its slope is what "
            "one more instance takes. Lower is better."
        ),
    )


def _startup(run: Run) -> Figure | None:
    ready = STARTUP[0]
    lines = [replace(line, x=[running + 1 for running in line.x]) for line in _lines(run, ready)]
    return curve(
        run,
        lines,
        x=Axis("the instance: 1 is the first, with none running"),
        y=Axis(ready.name, ready.unit),
        name="density-startup",
        title="Start-up of one more against instances running",
        caption=(
            "How long one more instance took to be ready beside those that ran, medians over the blocks. A flat line: "
            "starting does not become dearer with what runs already."
        ),
    )


def _lines(run: Run, metric: Metric) -> Iterator[Line]:
    """A line for each variant: the metric's median at each number of instances."""
    by_variant: dict[str, list[Series]] = {}
    for one in found(run, _NAME, metric):
        if "instances" in one.labels:
            by_variant.setdefault(who(one), []).append(one)
    for name, several in by_variant.items():
        several.sort(key=lambda one: int(one.labels["instances"]))
        intervals = [(one.median_interval.low, one.median_interval.high) for one in several]
        known = all(low is not None for low, _ in intervals)
        yield Line(
            name=name,
            x=[float(one.labels["instances"]) for one in several],
            y=[one.p50 or 0.0 for one in several],
            low=[low or 0.0 for low, _ in intervals] if known else None,
            high=[high or 0.0 for _, high in intervals] if known else None,
        )


def _with_fit(line: Line) -> Line:
    if len(line.x) < 2:
        return line
    fit = linear_regression(line.x, line.y)
    x = _between(line.x[0], line.x[-1])
    points = [(each, fit.intercept + fit.slope * each) for each in x]
    if min(line.y) > 0:  # the axis may be logarithmic, which has no place for what is not positive
        points = [(each, value) for each, value in points if value > 0]
    return replace(line, fit_x=[at for at, _ in points], fit_y=[value for _, value in points])


def _between(first: float, last: float, count: int = 60) -> Sequence[float]:
    """Evenly spread on a logarithmic axis, on which a straight line is bent."""
    ratio = last / first
    return [first * ratio ** (place / (count - 1)) for place in range(count)]
