"""What makes figures of CPU and memory doubtful, as sentences: for the cautions of several benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.benchmarks.metric import Metric

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run
    from isoscope.benchmarks.results.summary import Series

#: How far the instance's clock may be off the host's; what arrives late through a busy VMM is less.
CLOCK_TOLERANCE = 0.05

#: The share of the CPUs it asked for below which a tool is said to have waited.
_ENOUGH = 0.95


def clocks(run: Run, metric: Metric) -> list[str]:
    """A sentence when instances' clocks did not go as the host's did; `metric` has the one's span over the other's."""
    found = [
        f"{one.name} {one.p50:.3g}"
        for one in _series(run, metric)
        if one.p50 is not None and abs(one.p50 - 1) > CLOCK_TOLERANCE
    ]
    if not found:
        return []
    words = "Clocks inside disagree with the host's, and what was timed inside is off by as much"
    return [f"{words}; the host saw so many times the span: {', '.join(found)}"]


def waiting(run: Run, metric: Metric, threads: int = 1) -> list[str]:
    """A sentence when instances got less CPU time than their threads could use; `metric` has how many CPUs they got."""
    found = [
        f"{one.name} {one.p50 / threads:.0%}"
        for one in _series(run, metric)
        if one.p50 is not None and one.p50 < _ENOUGH * threads
    ]
    if not found:
        return []
    words = "Others ran on the host, or a limit held back what was measured: its spans hold waits for a CPU"
    return [f"{words}. It ran for so much of the time: {', '.join(found)}"]


def translated(run: Run, benchmark: str, *, means: str) -> list[str]:
    """A sentence when instances ran on TCG; `means` says what it makes of this benchmark's figures."""
    found = sorted({one.variant for one in run.results.of(benchmark) if one.accelerator == "tcg"})
    return [f"{', '.join(found)} ran on TCG, which translates every instruction: {means}"] if found else []


def unknown_speed(run: Run) -> list[str]:
    """A sentence when nothing tells how fast the CPU was clocked."""
    cpu = run.environment.get("cpu", {})
    missing = [name for name in ("governor", "turbo") if cpu and cpu.get(name) in (None, [])]
    if not missing:
        return []
    return [f"The host does not show its {' nor its '.join(missing)}: the CPU's clock may have changed between trials"]


def _series(run: Run, metric: Metric) -> list[Series]:
    return [one for one in run.results.series if one.metric.name == metric.name and one.role != "harness"]
