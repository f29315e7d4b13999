"""Every metric in one place: its unit, which way is better, and what it means. Reports and docs print from here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Direction(StrEnum):
    """Which way is better."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True)
class Metric:
    """A quantity that benchmarks report. Units: `ns`, `B`, `B/s`, `1/s`, `1`."""

    name: str
    unit: str
    direction: Direction
    definition: str  #: one sentence, from where to where or of what

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as stored in a manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The inverse of `as_dict`."""
        return cls(data["name"], data["unit"], Direction(data["direction"]), data["definition"])


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

#: A trial ends with this one: a trial without it was cut short.
END_OF_TRIAL = Metric(
    "harness.trial",
    "ns",
    Direction.LOWER,
    "One whole trial as the harness sees it, with everything that the benchmark's own clock leaves out; "
    "on the backend null, which runs nothing, it is the cost of the harness itself.",
)


def phase(name: str) -> Metric:
    """The metric of a start-up's phase; a stranger's backend may have phases of its own."""
    words = PHASES.get(name, "as the backend defines it")
    return Metric(f"phase.{name}", "ns", Direction.LOWER, f"Phase {name} of startup.ready: {words}.")


METRICS = {metric.name: metric for metric in (*STARTUP, *map(phase, PHASES), END_OF_TRIAL)}


def metric(name: str) -> Metric:
    """A metric of ours by name. Raises KeyError; phases are known under any name."""
    if name.startswith("phase."):
        return phase(name.removeprefix("phase."))
    return METRICS[name]
