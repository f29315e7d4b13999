"""What the benchmark `syscall` finds."""

from __future__ import annotations

from isoscope.benchmarks.metric import Direction, Metric

TIME = Metric(
    "syscall.time",
    "ns",
    Direction.LOWER,
    "One call, by the instance's clock over a loop of many: the median of the repetitions.",
)
HOST_TIME = Metric(
    "syscall.host_time",
    "ns",
    Direction.LOWER,
    "One call, by the host's clock from the arrival of the line before the repetitions to that of the line after: "
    "their mean.",
)
CLOCK = Metric(
    "syscall.clock",
    "1",
    Direction.LOWER,
    "The span of a call's repetitions on the host's clock over the same on the instance's clock: 1 when they go alike.",
)
SHARE = Metric(
    "syscall.share",
    "1",
    Direction.HIGHER,
    "CPUs that the host gave to the instance on average while the program ran.",
)

SYSCALL = (TIME, HOST_TIME, CLOCK, SHARE)

#: Every call, in the order of the program, and what one of it does.
CALLS = {
    "getpid": "getpid(2): the way into the kernel and back, with next to nothing done there",
    "open+close": "open(2) of a file by its path, and close(2)",
    "read": "pread(2) of 4 KiB that are in the page cache, from the beginning of a file",
    "write": "pwrite(2) of 4 KiB to the beginning of that file, into the page cache; nothing is flushed",
    "mmap+touch+munmap": "mmap(2) of one 4 KiB page, a write to it, which faults it in, and munmap(2)",
    "context-switch": "half of a byte's way through two pipes to another process on the same CPU and back",
    "fork+exec+wait": "fork(2), execve(2) of the small static program itself, which ends at once, and wait(2)",
}
