"""What the benchmark `memory` finds."""

from __future__ import annotations

from isoscope.benchmarks.metric import Direction, Metric

BANDWIDTH = Metric(
    "memory.bandwidth",
    "B/s",
    Direction.HIGHER,
    "Bytes a second that an operation of STREAM reads and writes in memory, one thread, counted as STREAM counts; the "
    "median of its repetitions, where STREAM prints the best.",
)
FAULT = Metric(
    "memory.fault",
    "ns",
    Direction.LOWER,
    "Getting 4 KiB of memory from the kernel and giving them back: a region is mapped, each 4 KiB of it written to, "
    "and unmapped; all three together, the median of the repetitions.",
)
TOUCH = Metric(
    "memory.touch",
    "ns",
    Direction.LOWER,
    "The part of memory.fault that is the first write to each 4 KiB: a page fault each, or one for 512 of them with "
    "huge pages.",
)
UNMAP = Metric("memory.unmap", "ns", Direction.LOWER, "The part of memory.fault that is munmap(2), for each 4 KiB.")
HOST_CPU = Metric(
    "memory.host_cpu",
    "ns",
    Direction.LOWER,
    "CPU time that the host spent on the instance, its VMM included, for one whole run of the program.",
)
OWN_CPU = Metric(
    "memory.own_cpu",
    "ns",
    Direction.LOWER,
    "CPU time, user and system, that the kernel inside put down for one whole run of the program.",
)
SHARE = Metric(
    "memory.share",
    "1",
    Direction.HIGHER,
    "CPUs that the host gave to the instance on average while the program ran.",
)
CLOCK = Metric(
    "memory.clock",
    "1",
    Direction.LOWER,
    "The span of the program's run on the host's clock over the same on the instance's clock: 1 when they go alike.",
)

MEMORY = (BANDWIDTH, FAULT, TOUCH, UNMAP, HOST_CPU, OWN_CPU, SHARE, CLOCK)

#: The operations of STREAM (it calls them kernels), in its order.
OPERATIONS = {"copy": "c = a", "scale": "b = 3c", "add": "c = a + b", "triad": "a = b + 3c"}

#: The ways in which the kernel may provide a region, as the program `faults` names them.
PAGES = {"4k": "pages of 4 KiB (MADV_NOHUGEPAGE)", "thp": "transparent huge pages (MADV_HUGEPAGE)"}
