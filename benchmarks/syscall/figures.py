"""The figures of `syscall`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.benchmarks.report.figure import Figure
from isoscope.benchmarks.report.plots import Cell, bars, found, matrix, who
from isoscope.benchmarks.results.quantity import interval, number
from isoscope.benchmarks.syscall.metrics import CALLS, TIME

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run


def figures(run: Run) -> list[Figure]:
    """Times and ratios; none of what was not measured."""
    times = bars(
        run,
        found(run, "syscall", TIME),
        name="syscall-time",
        title="Time of one call",
        by=("call",),
        log=True,
    )
    return [one for one in (times, _ratios(run)) if one is not None]


def _ratios(run: Run) -> Figure | None:
    compared = [one for one in found(run, "syscall", TIME) if one.ratio and one.ratio.value is not None]
    cells = {
        (str(one.labels.get("call")), who(one)): Cell(
            one.ratio.value, f"{number(one.ratio.value)} {interval(one.ratio.interval)}".rstrip()
        )
        for one in compared
        if one.ratio and one.ratio.value is not None
    }
    baseline = run.results.baselines.get("syscall", run.terms.baseline)
    return matrix(
        [call for call in CALLS if any(call == row for row, _ in cells)],
        list(dict.fromkeys(who(one) for one in compared)),
        cells,
        name="syscall-ratio",
        title=f"Time of one call, as a multiple of {baseline}'s",
        caption="Ratios of medians, with 95 % intervals where there are blocks enough for one.",
    )
