"""What the benchmark `cpu` finds."""

from __future__ import annotations

from isoscope.benchmarks.metric import Direction, Metric

EVENTS = Metric(
    "cpu.events",
    "1/s",
    Direction.HIGHER,
    "Events a second of `sysbench cpu`, all threads together; an event tests every number up to 10,000 for being "
    "prime, with integer divisions.",
)
FLOPS = Metric(
    "cpu.flops",
    "1/s",
    Direction.HIGHER,
    "Floating-point operations a second of one thread that solves systems of 256 linear equations, counted as LINPACK "
    "does, with the widest SIMD that the CPU is shown to have; the median of its repetitions.",
)
HOST_CPU = Metric(
    "cpu.host_cpu",
    "ns",
    Direction.LOWER,
    "CPU time that the host spent on the instance, its VMM included, for each event of sysbench, its start included.",
)
OWN_CPU = Metric(
    "cpu.own_cpu",
    "ns",
    Direction.LOWER,
    "CPU time that the kernel inside put down to sysbench for each event, its start included.",
)
HOST_BUSY = Metric(
    "cpu.host_busy",
    "ns",
    Direction.LOWER,
    "CPU time that the whole host was busy for each event of sysbench, with whatever: what the host does for the "
    "instance without putting it down to it is in here, and so is everybody else's work.",
)
SHARE = Metric(
    "cpu.share",
    "1",
    Direction.HIGHER,
    "CPUs that the host gave to the instance on average while the tool ran.",
)
CLOCK = Metric(
    "cpu.clock",
    "1",
    Direction.LOWER,
    "The span of the tool's run on the host's clock over the same on the instance's clock: 1 when they go alike.",
)

CPU = (EVENTS, FLOPS, HOST_CPU, OWN_CPU, HOST_BUSY, SHARE, CLOCK)
