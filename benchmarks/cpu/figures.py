"""The figures of `cpu`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.benchmarks.cpu.metrics import EVENTS, FLOPS, HOST_CPU, OWN_CPU
from isoscope.benchmarks.report.figure import Figure
from isoscope.benchmarks.report.plots import Cell, bars, found, matrix, who
from isoscope.benchmarks.results.quantity import number, quantity

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run


def figures(run: Run) -> list[Figure]:
    """Events, operations, and the CPU time of an event on both sides; none of what was not measured."""
    drawn = (
        bars(run, found(run, "cpu", EVENTS), name="cpu-events", title="Integer work: events of sysbench a second"),
        bars(run, found(run, "cpu", FLOPS), name="cpu-flops", title="Floating-point operations a second"),
        _both_sides(run),
    )
    return [one for one in drawn if one is not None]


def _both_sides(run: Run) -> Figure | None:
    own = {who(one): one.p50 for one in found(run, "cpu", OWN_CPU)}
    host = {who(one): one.p50 for one in found(run, "cpu", HOST_CPU)}
    cells = {}
    for name, inside in own.items():
        outside = host.get(name)
        cells[name, "inside"] = Cell(None, quantity(inside, "ns"))
        cells[name, "on the host"] = Cell(None, quantity(outside, "ns"))
        if inside and outside:
            cells[name, "ratio"] = Cell(outside / inside, number(outside / inside))
    return matrix(
        list(own),
        ["inside", "on the host", "ratio"],
        cells,
        name="cpu-time",
        title="CPU time of an event: as the kernel inside counts it, and as the host does",
        caption=(
            "Medians over the blocks. A ratio above 1 is CPU time that the instance costs and does not see; below 1, "
            "its kernel counts time in which the host did not run it."
        ),
    )
