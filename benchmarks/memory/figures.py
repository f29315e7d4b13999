"""The figures of `memory`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.benchmarks.memory.metrics import BANDWIDTH, FAULT
from isoscope.benchmarks.report.figure import Figure
from isoscope.benchmarks.report.plots import bars, found

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run


def figures(run: Run) -> list[Figure]:
    """Bandwidth and pages; none of what was not measured."""
    drawn = (
        bars(
            run,
            found(run, "memory", BANDWIDTH),
            name="memory-bandwidth",
            title="Memory bandwidth of one thread, by operation of STREAM",
            by=("operation",),
        ),
        bars(
            run,
            found(run, "memory", FAULT),
            name="memory-fault",
            title="Getting 4 KiB of memory and giving them back",
            by=("pages",),
            log=True,
            caption="4k: pages of 4 KiB; thp: transparent huge pages, whose cost is shared by 512 times 4 KiB.",
        ),
    )
    return [one for one in drawn if one is not None]
