"""What the benchmark `interference` finds."""

from __future__ import annotations

from isoscope.benchmarks.metric import Direction, Metric

SLOWDOWN = Metric(
    "interference.slowdown",
    "1",
    Direction.LOWER,
    "The time that a victim takes for a fixed piece of work beside a neighbour that is at work, divided by the "
    "median of its times for the same work with nobody beside it, one before each neighbour; all in one trial, by the "
    "host's clock.",
)
FINISHED = Metric(
    "interference.finished",
    "1",
    Direction.HIGHER,
    "1 when the victim finished its work beside the neighbour within `patience` times as long as alone, 0 when not.",
)
ALONE = Metric(
    "interference.alone",
    "ns",
    Direction.LOWER,
    "The victim's median time alone in a trial for one unit of its work: 2^20 rounds of a shift register (cpu), "
    "1 MiB of which every cache line is read and written (memory), or 4 KiB written to the disk and flushed (disk).",
)

INTERFERENCE = (SLOWDOWN, FINISHED, ALONE)
