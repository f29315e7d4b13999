"""Benchmarks, the harness that runs them, statistics, results and reports.

Names are loaded when they are first used: pandas, scipy and matplotlib come in only after the measuring is over, so
that neither their memory nor their threads stand beside a trial.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.core.later import later

if TYPE_CHECKING:
    from isoscope.benchmarks.benchmark import Benchmark, Trial, Value
    from isoscope.benchmarks.metric import Direction, Metric
    from isoscope.benchmarks.report.figure import plot_style
    from isoscope.benchmarks.results.run import Run

_HOME = {
    "Benchmark": "benchmark",
    "Direction": "metric",
    "Metric": "metric",
    "Run": "results.run",
    "Trial": "benchmark",
    "Value": "benchmark",
    "plot_style": "report.figure",
}

__all__ = ["Benchmark", "Direction", "Metric", "Run", "Trial", "Value", "plot_style"]

__getattr__ = later(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
