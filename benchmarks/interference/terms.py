"""What victim and neighbour are given: the limits of either case, and the most that a neighbour may take."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isoscope.benchmarks.proc import meminfo
from isoscope.core.capabilities import Capabilities
from isoscope.core.units import format_size
from isoscope.core.variant import Variant
from isoscope.core.workload import Resources, Workload

#: What a victim may need, and what a neighbour may take.
VICTIMS = ("cpu", "memory", "disk")
NEIGHBOURS = (*VICTIMS, "fork-bomb")

ON, OFF = "on", "off"

# The neighbour's own ceilings, which hold without limits, too. images/programs/hog.c has some that nobody can raise.
_MOST_MEMORY = 1 << 30  # bytes without a limit, and never more than a quarter of what the host has available
_DISK = 256 << 20  # bytes, of which the file system of the state directory must have many times as much
_TASKS = 256


def relation(victim: str, neighbour: str) -> str:
    """How the two stand to each other, in the words of Sharma et al. (Middleware 2016), section 4.2."""
    if neighbour == "fork-bomb":
        return "adversarial"
    return "competing" if neighbour == victim else "orthogonal"


def host_cpus() -> int:
    """CPUs that this process, and so what it starts, may run on."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Terms:
    """The resources of both sides in one case."""

    limits: str  #: `on` or `off`
    victim: Resources
    neighbour: Resources

    @classmethod
    def of(
        cls, limits: str, options: Mapping[str, Any], workload: Workload, variant: Variant, capabilities: Capabilities
    ) -> Terms:
        """The terms of `limits=on` or `off`; limits that the workload or the variant itself names stand in both.

        With limits, both together are given exactly the host's CPUs. Without, a kernel of its own still has as many
        CPUs as it is shown, which is all that the host has.
        """
        cpus = host_cpus()
        if limits == ON:
            both = Resources(memory=options["memory"], pids=options["pids"])
            victim_cpus = 1.0 if cpus > 1 else 0.5
            victim, neighbour = replace(both, cpus=victim_cpus), replace(both, cpus=cpus - victim_cpus)
        else:
            victim = neighbour = Resources(cpus=cpus) if capabilities.own_kernel else Resources()
        own = workload.with_overrides(variant.options).resources
        return cls(limits, _under(own, victim), _under(own, neighbour))


def _under(own: Resources, ours: Resources) -> Resources:
    return replace(ours, **{name: getattr(own, name) for name in own.requested()})


def told(resources: Resources) -> str:
    """Limits as a label: `cpus=1 memory=256MiB pids=64`, or `none`."""
    words = []
    if resources.cpus is not None:
        words.append(f"cpus={resources.cpus:g}")
    if resources.memory is not None:
        words.append(f"memory={format_size(resources.memory).replace(' ', '')}")
    if resources.pids is not None:
        words.append(f"pids={resources.pids}")
    return " ".join(words) or "none"


def amount(neighbour: str, resources: Resources) -> int:
    """How much a neighbour takes at most processes, bytes, or tasks.

    Of memory it is twice its limit, so that it meets it.
    """
    if neighbour == "cpu":
        return host_cpus()
    if neighbour == "disk":
        return _DISK
    if neighbour == "fork-bomb":
        return _TASKS
    wanted = _MOST_MEMORY if resources.memory is None else 2 * resources.memory
    return max(1, min(wanted, 2 * _MOST_MEMORY, memory_available() // 4))


def too_dangerous(neighbour: str, terms: Terms, options: Mapping[str, Any], capabilities: Capabilities) -> str:
    """Why a neighbour is not let loose here; empty when it may be."""
    loose = neighbour == "fork-bomb" and terms.neighbour.pids is None and not capabilities.own_kernel
    if loose and options["unlimited"] != "yes":
        return "a fork bomb without a limit on tasks would be the host's own; unlimited=yes lets it loose"
    return ""


def no_room(neighbour: str, home: Path) -> str:
    """Why the host has not what a neighbour takes; empty when it has."""
    if neighbour == "disk":
        status = os.statvfs(home)
        if status.f_bavail * status.f_frsize < 8 * _DISK:
            return f"the state directory's file system has less than {format_size(8 * _DISK)} free"
    if neighbour == "memory" and memory_available() < _MOST_MEMORY:
        return f"the host has less than {format_size(_MOST_MEMORY)} of memory available"
    return ""


def memory_available() -> int:
    """Bytes that can be had without swapping (`MemAvailable`, proc_meminfo(5)); 0 when the kernel does not tell."""
    return meminfo().get("MemAvailable", 0)


def groups_by_session(switch: Path = Path("/proc/sys/kernel/sched_autogroup_enabled")) -> bool:
    """Whether the host's scheduler gives each session the same share of CPU time, however many processes it has.

    sched(7), "The autogroup feature". Every instance is a session; with a limit on CPU time it is a group anyway.
    """
    return switch.exists() and switch.read_text().strip() == "1"
