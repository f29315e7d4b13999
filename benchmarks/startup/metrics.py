"""What the benchmark `startup` finds."""

from __future__ import annotations

from isoscope.benchmarks.metric import Direction, Metric

#: What each phase of a start-up lasts, by the name that backends give it.
PHASES = {
    "cgroup": "making the instance's cgroups and setting its limits",
    "network": "making its network namespace's links, addresses and routes",
    "clone": "clone(2) of the first process into its new namespaces",
    "rootfs": "mounting the root file system and pivot_root(2) into it",
    "define": "building the domain and handing it to libvirt",
    "vmm": "from the domain's creation to the first sign of the guest's kernel",
    "kernel": "from the guest kernel's first sign until its init runs",
    "init": "the guest's init, until it is about to run the workload",
    "create": "the engine's answer to a request for a container",
    "attach": "the engine's answer to a request for the container's output",
    "run": "the engine's answer to the request to start it, or the first output if that is sooner",
    "runtime": "the peer's command, until it has executed the workload's",
    "exec": "until execve(2) of the workload's command has succeeded",
    "ready": "from there to the first byte of the workload's own output, or to its end when it has none",
}

STARTUP = (
    Metric(
        "startup.ready",
        "ns",
        Direction.LOWER,
        "From the call of Instance.start() to the first byte of the workload's own output seen on the host; "
        "a workload that ends without output is ready when its end is seen.",
    ),
    Metric(
        "startup.total",
        "ns",
        Direction.LOWER,
        "From the call of Instance.start() through the workload's own end to the end of Instance.delete().",
    ),
)

#: With several instances at once, in place of the whole life of one.
MAKESPAN = Metric(
    "startup.makespan",
    "ns",
    Direction.LOWER,
    "Of instances that are asked for at once, from the first call of Instance.start() until the last is ready.",
)


def phase(name: str) -> Metric:
    """The metric of a start-up's phase; a stranger's backend may have phases of its own."""
    words = PHASES.get(name, "as the backend defines it")
    return Metric(f"phase.{name}", "ns", Direction.LOWER, f"Phase {name} of startup.ready: {words}.")
