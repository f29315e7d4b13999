"""What the benchmark `overhead` finds."""

from __future__ import annotations

from isoscope.benchmarks.metric import Direction, Metric

RESERVED = Metric(
    "overhead.reserved",
    "B",
    Direction.LOWER,
    "Sizes of all readable and writable private mappings (proc_pid_smaps(5)) of a virtual machine monitor and its "
    "helpers, touched or not, less the guest's memory.",
)
RESIDENT = Metric(
    "overhead.resident",
    "B",
    Direction.LOWER,
    "Sum of Pss (proc_pid_smaps(5)) of a virtual machine monitor and its helpers, less that of the mapping that is the "
    "guest's memory.",
)

OVERHEAD = (RESERVED, RESIDENT)
