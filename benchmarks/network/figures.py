"""The figures of `network`: throughput by path, how far the latency's tail reaches, and what each byte costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from isoscope.benchmarks.network.ends import BETWEEN, TO_INSTANCE
from isoscope.benchmarks.network.metrics import (
    CPU_PER_BYTE,
    CPU_PER_TRANSACTION,
    HOST_CPU_PER_BYTE,
    HOST_CPU_PER_TRANSACTION,
    LATENCY,
    THROUGHPUT,
)
from isoscope.benchmarks.report.plots import bars, found, tails, trial_values, who

if TYPE_CHECKING:
    from isoscope.benchmarks.metric import Metric
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

_WORDS = {TO_INSTANCE: "between the host and an instance", BETWEEN: "between two instances"}


def figures(run: Run) -> list[Figure]:
    """Those of which something was measured."""
    drawn = [
        _bars(run, THROUGHPUT, "Throughput by path"),
        *(_tails(run, path) for path in _WORDS),
        _bars(run, CPU_PER_BYTE, "CPU time for each byte, charged to both ends"),
        _bars(run, HOST_CPU_PER_BYTE, "CPU time for each byte, of the whole host"),
        _bars(run, CPU_PER_TRANSACTION, "CPU time for each transaction, charged to both ends"),
        _bars(run, HOST_CPU_PER_TRANSACTION, "CPU time for each transaction, of the whole host"),
    ]
    return [one for one in drawn if one is not None]


def _bars(run: Run, metric: Metric, title: str) -> Figure | None:
    series = found(run, "network", metric)
    return bars(run, series, name=metric.name.replace(".", "-").replace("_", "-"), title=title, by=("path",))


def _tails(run: Run, path: str) -> Figure | None:
    lines: dict[str, dict[str, float]] = {}
    for percentile, metric in LATENCY.items():
        for one in found(run, "network", metric):
            if one.labels.get("path") == path:
                lines.setdefault(who(one), {})[f"p{percentile}"] = float(np.median(trial_values(run, one)))
    return tails(
        run,
        lines,
        unit="ns",
        label="time from request to reply",
        name=f"network-latency-{path}",
        title=f"Latency {_WORDS[path]}",
        caption="Percentiles of all transactions of a trial; each point is the median over the trials.",
    )
