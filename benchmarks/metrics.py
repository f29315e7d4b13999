"""Every metric in one place: its unit, which way is better, and what it means. Reports and docs print from here."""

from __future__ import annotations

from isoscope.benchmarks.cpu.metrics import CPU
from isoscope.benchmarks.density.metrics import DENSITY
from isoscope.benchmarks.disk.metrics import DISK
from isoscope.benchmarks.interference.metrics import INTERFERENCE
from isoscope.benchmarks.memory.metrics import MEMORY
from isoscope.benchmarks.metric import Direction, Metric
from isoscope.benchmarks.network.metrics import NETWORK
from isoscope.benchmarks.oltp.metrics import OLTP
from isoscope.benchmarks.overhead.metrics import OVERHEAD
from isoscope.benchmarks.randomaccess.metrics import RANDOMACCESS
from isoscope.benchmarks.redis.metrics import REDIS
from isoscope.benchmarks.rr.metrics import RR
from isoscope.benchmarks.startup.metrics import MAKESPAN, PHASES, STARTUP, phase
from isoscope.benchmarks.syscall.metrics import SYSCALL

#: A trial ends with this one: a trial without it was cut short.
END_OF_TRIAL = Metric(
    "harness.trial",
    "ns",
    Direction.LOWER,
    "One whole trial as the harness sees it, with everything that the benchmark's own clock leaves out; "
    "on the backend null, which runs nothing, it is the cost of the harness itself.",
)

METRICS = {
    metric.name: metric
    for metric in (
        *STARTUP,
        MAKESPAN,
        *map(phase, PHASES),
        *DENSITY,
        *CPU,
        *MEMORY,
        *SYSCALL,
        *DISK,
        *INTERFERENCE,
        *NETWORK,
        *OLTP,
        *OVERHEAD,
        *RANDOMACCESS,
        *REDIS,
        *RR,
        END_OF_TRIAL,
    )
}


def metric(name: str) -> Metric:
    """A metric of ours by name. Raises KeyError; phases are known under any name."""
    if name.startswith("phase."):
        return phase(name.removeprefix("phase."))
    return METRICS[name]
