"""What the benchmark `randomaccess` finds."""

from __future__ import annotations

from isoscope.benchmarks.metric import Direction, Metric

UPDATES = Metric(
    "randomaccess.updates",
    "1/s",
    Direction.HIGHER,
    "Words of a large table that one thread updates a second, each at an address that nobody foresees, as HPCC's "
    "RandomAccess does; the median of the repetitions.",
)
CLOCK = Metric(
    "randomaccess.clock",
    "1",
    Direction.LOWER,
    "The span of the program's run on the host's clock over the same on the instance's clock: 1 when they go alike.",
)
SHARE = Metric(
    "randomaccess.share",
    "1",
    Direction.HIGHER,
    "CPUs that the host gave to the instance on average while the program ran.",
)

RANDOMACCESS = (UPDATES, CLOCK, SHARE)
