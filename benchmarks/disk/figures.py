"""The figures of `disk`: every phase with the variants side by side, how far latency reaches, CPU time, flushes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from isoscope.benchmarks.disk.metrics import BANDWIDTH, CPU, FLUSH, HOST_CPU, IOPS, LATENCY_P50, LATENCY_P99
from isoscope.benchmarks.report.plots import bars, found, tails, who

if TYPE_CHECKING:
    from isoscope.benchmarks.metric import Metric
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

_BARS = (
    (BANDWIDTH, "Sequential phases: bandwidth", "Requests of 1 MiB: 16 under way for writes, one or two for reads."),
    (
        IOPS,
        "Random phases: operations each second",
        "Requests of 4 KiB, 16 (mixed: 32) under way for each of 1 or 8 jobs.",
    ),
    (CPU, "CPU time of the instance for each request", "A VM's includes QEMU."),
    (HOST_CPU, "CPU time of the whole host for each request", "Whatever else ran is included."),
)


def figures(run: Run) -> list[Figure]:
    """Those for which there are values."""
    drawn = [_bars(run, metric, title, caption) for metric, title, caption in _BARS]
    flushes = bars(
        run,
        found(run, "disk", FLUSH),
        name="disk-flush",
        title="What a flush costs",
        caption="fdatasync(2) after each write of 4 KiB. One that is too cheap is no flush.",
    )
    return [one for one in (*drawn[:2], *_tails(run), flushes, *drawn[2:]) if one is not None]


def _bars(run: Run, metric: Metric, title: str, caption: str) -> Figure | None:
    return bars(
        run,
        found(run, "disk", metric),
        name=metric.name.replace(".", "-"),
        title=title,
        by=("phase",),
        caption=caption,
    )


def _tails(run: Run) -> Iterator[Figure | None]:
    """One for each phase: the tail, not the middle, is what a storage path is chosen for."""
    lines: dict[str, dict[str, dict[str, float]]] = {}
    for column, metric in (("p50", LATENCY_P50), ("p99", LATENCY_P99)):
        for one in found(run, "disk", metric):
            if one.p50 is not None:
                lines.setdefault(str(one.labels.get("phase")), {}).setdefault(who(one), {})[column] = one.p50
    for phase, points in lines.items():
        yield tails(
            run,
            points,
            unit="ns",
            label="completion latency",
            name=f"disk-latency-{phase}",
            title=f"Latency of {phase}: the usual request and the slowest in a hundred",
            caption="Medians over the blocks.",
        )
