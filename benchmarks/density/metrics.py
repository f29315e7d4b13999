"""What the benchmark `density` finds."""

from __future__ import annotations

from isoscope.benchmarks.metric import Direction, Metric

MARGINAL_MEMORY = Metric(
    "density.marginal_memory",
    "B",
    Direction.LOWER,
    "Memory of the host that one more instance takes: the slope of a least-squares line through the fall of "
    "MemAvailable (proc_meminfo(5)) at each step of the ramp. It includes what the kernel takes for the instance.",
)
MARGINAL_PSS = Metric(
    "density.marginal_pss",
    "B",
    Direction.LOWER,
    "Proportional set size that one more instance adds: the slope of a least-squares line through the sum of Pss "
    "(proc_pid_smaps(5)) of every process that the backend runs for the instances, VMMs and their helpers included.",
)
FITS = Metric(
    "density.fits",
    "1",
    Direction.HIGHER,
    "How many instances a host takes, this one as it was before the ramp or one of the given memory: for each limit "
    "that is known, what is free of it over what one more instance takes of it, and of these the least.",
)

HEADLINE = (MARGINAL_PSS, MARGINAL_MEMORY, FITS)

REACHED = Metric(
    "density.reached", "1", Direction.HIGHER, "How many instances ran at once when the ramp ended, whatever ended it."
)
RAMP = Metric(
    "density.ramp",
    "ns",
    Direction.LOWER,
    "Making and starting the instances until each was ready, one after another or so many at once, without the looks "
    "between.",
)
PSS = Metric(
    "density.pss",
    "B",
    Direction.LOWER,
    "Sum of Pss (proc_pid_smaps(5)) of every process that the backend runs for the instances.",
)
KEEPER_PSS = Metric(
    "density.keeper_pss",
    "B",
    Direction.LOWER,
    "Pss of the process that keeps the instances, which is this comparison, and of the helpers that serve all of them.",
)
CGROUP_MEMORY = Metric(
    "density.cgroup_memory",
    "B",
    Direction.LOWER,
    "Sum of what the kernel charges to the instances' cgroups (memory.current, memory.usage_in_bytes), with the page "
    "cache that they were the first to touch.",
)
USED_MEMORY = Metric(
    "density.used_memory",
    "B",
    Direction.LOWER,
    "The fall of the host's MemAvailable since before the ramp.",
)
SLAB = Metric(
    "density.slab",
    "B",
    Direction.LOWER,
    "The growth of the host's Slab since before the ramp: the kernel's own objects, such as namespaces, mounts, tasks.",
)
IDLE_CPU = Metric(
    "density.idle_cpu",
    "1",
    Direction.HIGHER,
    "Share of the host's CPU time that was idle while the instances were left alone for a moment.",
)
CPU = Metric(
    "density.cpu",
    "1",
    Direction.LOWER,
    "CPUs' worth of time that the instances' processes took meanwhile, all together.",
)

DETAILS = (REACHED, RAMP, PSS, KEEPER_PSS, CGROUP_MEMORY, USED_MEMORY, SLAB, IDLE_CPU, CPU)

DENSITY = (*HEADLINE, *DETAILS)
