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
    """A sentence for each series whose instances' clock did not go as the host's did."""
    return [
        f"{one.name}: the instance's clock disagrees with the host's, which saw {one.p50:.3g} times the span; "
        "what was timed inside is off by as much"
        for one in _series(run, metric)
        if one.p50 is not None and abs(one.p50 - 1) > CLOCK_TOLERANCE
    ]


def waiting(run: Run, metric: Metric, cpus: int) -> list[str]:
    """A sentence for each series whose instances got less CPU time than their threads asked for."""
    return [
        f"{one.name}: the host gave the instance {one.p50:.0%} of the {cpus} CPU(s) that it asked for; "
        "others ran meanwhile, or a limit held it, and inside a virtual machine that shows as stolen time at best"
        for one in _series(run, metric)
        if one.p50 is not None and one.p50 < _ENOUGH * cpus
    ]


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
