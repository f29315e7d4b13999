"""The figures of `oltp`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.benchmarks.oltp.metrics import LATENCY_P99, TRANSACTIONS
from isoscope.benchmarks.report.axes import Axis
from isoscope.benchmarks.report.plots import curve, found, lines

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

_TITLES = {TRANSACTIONS: "Transactions a second", LATENCY_P99: "Slowest hundredth of the transactions"}


def figures(run: Run) -> list[Figure]:
    """Transactions a second and their tail, by the number of clients."""
    drawn = [
        curve(
            run,
            lines(found(run, "oltp", metric), "threads"),
            x=Axis("clients", "1"),
            y=Axis(metric.name, metric.unit),
            name=metric.name.replace(".", "-"),
            title=title,
            caption="Read-only transactions; the clients run on the host. Error bars are 95 % intervals.",
        )
        for metric, title in _TITLES.items()
    ]
    return [one for one in drawn if one is not None]
