"""The figures of `network`: throughput by path, how far the latency's tail reaches, and what each byte costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.benchmarks.network.distribution import slower
from isoscope.benchmarks.network.ends import BETWEEN, TO_INSTANCE
from isoscope.benchmarks.network.metrics import (
    CPU_PER_BYTE,
    CPU_PER_TRANSACTION,
    EXITS_PER_TRANSACTION,
    HOST_CPU_PER_BYTE,
    HOST_CPU_PER_TRANSACTION,
    INTERRUPTS_PER_TRANSACTION,
    LATENCY,
    THROUGHPUT,
)
from isoscope.benchmarks.report.axes import Axis
from isoscope.benchmarks.report.plots import Line, bars, curve, found, tails, who
from isoscope.benchmarks.results.quantity import quantity

if TYPE_CHECKING:
    from isoscope.benchmarks.metric import Metric
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

_WORDS = {TO_INSTANCE: "between the host and an instance", BETWEEN: "between two instances"}


def figures(run: Run) -> list[Figure]:
    """Those of which something was measured."""
    drawn = [
        _bars(run, THROUGHPUT, "Throughput by path"),
        *(_distribution(run, path) for path in _WORDS),
        _bars(run, CPU_PER_BYTE, "CPU time for each byte, charged to both ends"),
        _bars(run, HOST_CPU_PER_BYTE, "CPU time for each byte, of the whole host"),
        _bars(run, CPU_PER_TRANSACTION, "CPU time for each transaction, charged to both ends"),
        _bars(run, HOST_CPU_PER_TRANSACTION, "CPU time for each transaction, of the whole host"),
        _bars(run, INTERRUPTS_PER_TRANSACTION, "Interrupts of the host for each transaction"),
        _bars(run, EXITS_PER_TRANSACTION, "Exits from virtual machines for each transaction"),
    ]
    return [one for one in drawn if one is not None]


def _bars(run: Run, metric: Metric, title: str) -> Figure | None:
    series = found(run, "network", metric)
    name = metric.name.replace(".", "-").replace("_", "-")
    several = any("streams" in one.labels for one in series)
    caption = "The number is how many streams are sent at a time." if several else ""
    return bars(run, series, name=name, title=title, by=("path", "streams"), caption=caption)


def _distribution(run: Run, path: str) -> Figure | None:
    """Which share of the transactions took longer; of the percentiles alone where the histograms were not kept."""
    lines = []
    for one in found(run, "network", LATENCY["50"]):
        if one.labels.get("path") == path:
            times, shares = slower(run, one)
            lines.append(Line(who(one), times.tolist(), shares.tolist()))
    percentiles = _percentiles(run, path)
    name, title = f"network-latency-{path}", f"Latency {_WORDS[path]}"
    if not all(len(line.x) for line in lines):
        return tails(run, percentiles, unit="ns", label="time from request to reply", name=name, title=title)
    words = "; ".join(
        f"{who}: " + ", ".join(f"{percentile} {quantity(ns, 'ns')}" for percentile, ns in points.items())
        for who, points in percentiles.items()
    )
    return curve(
        run,
        lines,
        x=Axis("time from request to reply", "ns", log=True),
        y=Axis("share of requests at least so slow", log=True),
        name=name,
        title=title,
        alternative=f"{title}, percentiles (medians over the trials). {words}.",
        caption="Every request of every trial, trials weighing the same. At 0.5 is the median, at 0.01 the 99th "
        "percentile; further left is faster, and the steeper the fall, the shorter the tail.",
    )


def _percentiles(run: Run, path: str) -> dict[str, dict[str, float]]:
    points: dict[str, dict[str, float]] = {}
    for percentile, metric in LATENCY.items():
        for one in found(run, "network", metric):
            if one.labels.get("path") == path and one.p50 is not None:
                points.setdefault(who(one), {})[f"p{percentile}"] = one.p50
    return points
