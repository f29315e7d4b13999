"""A look at so many running instances: what they, their helpers and the host use."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from isoscope.benchmarks.density import accounts, limits
from isoscope.benchmarks.density.limits import Usage
from isoscope.benchmarks.density.options import Floor
from isoscope.benchmarks.proc import Ticks, meminfo
from isoscope.core.errors import Unsupported
from isoscope.core.instance import Instance
from isoscope.core.workload import Network


@dataclass(frozen=True)
class Look:
    """What was found with so many instances running. None where the backend or the host cannot tell."""

    instances: int
    available: int  #: bytes, MemAvailable
    slab: int  #: bytes, Slab
    keeper_pss: int  #: bytes
    pss: int | None  #: bytes
    cgroup_memory: int | None  #: bytes
    idle: float | None  #: share of the host's CPU time
    cpu: float | None  #: CPUs' worth of time that the instances took
    ksm: str
    usage: Mapping[str, Usage]  #: of each limit that is known
    missing: str = ""  #: why there is no value, where there is none

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


class Observer:
    """Looks at instances of one workload, for as long as `settle` seconds each time."""

    def __init__(self, *, floor: Floor, settle: float, network: Network) -> None:
        self._floor, self._settle, self._network = floor, settle, network
        self._tasks_before = limits.running_tasks()

    def look(self, running: Sequence[Instance]) -> Look:
        """Leave the instances alone for a moment, and read what was and is used."""
        pids, missing = _pids(running)
        clocks, ticks, began = accounts.cpu_clocks(pids), Ticks.now(), time.monotonic_ns()
        time.sleep(self._settle)  # not a wait for anything: the span that CPU time is measured over
        ended, ticks_after, clocks_after = time.monotonic_ns(), Ticks.now(), accounts.cpu_clocks(pids)
        used = sum(clocks_after[pid] - clocks[pid] for pid in clocks.keys() & clocks_after.keys())
        cpu = None if missing else used / (ended - began)
        memory = meminfo()
        pss, missing_pss = (None, missing) if missing else _pss(pids)
        charged, missing_charge = _charged(running)
        return Look(
            instances=len(running),
            available=memory["MemAvailable"],
            slab=memory["Slab"],
            keeper_pss=accounts.pss(accounts.keepers(set(pids))),
            pss=pss,
            cgroup_memory=charged,
            idle=(ticks_after - ticks).idle_share,
            cpu=cpu,
            ksm=accounts.ksm(),
            usage=self._usage(memory, pids, len(running), cpu),
            missing=missing_pss or missing_charge,
        )

    def usage(self, running: Sequence[Instance]) -> dict[str, Usage]:
        """What is used of each limit right now."""
        return self._usage(meminfo(), _pids(running)[0], len(running), None)

    def memory_is_short(self) -> bool:
        """Whether the host has less memory left than the floor."""
        memory = meminfo()
        return memory["MemAvailable"] < self._floor.of(memory["MemTotal"])

    def _usage(self, memory: Mapping[str, int], pids: Sequence[int], count: int, cpu: float | None) -> dict[str, Usage]:
        found = {
            limits.MEMORY: limits.memory(memory, self._floor.of(memory["MemTotal"])),
            limits.PIDS: limits.tasks(self._tasks_before, accounts.tasks(pids)),
            **limits.shared(),
        }
        if pids and (cgroup := limits.cgroup_tasks(pids[0])) is not None:
            found[limits.CGROUP_PIDS] = cgroup
        if cpu is not None:
            found[limits.CPU] = Usage(cpu, len(os.sched_getaffinity(0)))
        if self._network is Network.BRIDGE:
            found[limits.LINKS] = Usage(count, limits.BRIDGE_PORTS)
        return found


def _pids(running: Iterable[Instance]) -> tuple[list[int], str]:
    """The processes of all instances, or why they cannot be told."""
    try:
        return [pid for instance in running for pid in instance.processes()], ""
    except Unsupported as error:
        return [], error.message


def _pss(pids: Iterable[int]) -> tuple[int | None, str]:
    try:
        return accounts.pss(pids), ""
    except PermissionError:
        return None, "the processes are another user's: run as root"


def _charged(running: Iterable[Instance]) -> tuple[int | None, str]:
    total = 0
    for instance in running:
        try:
            memory = instance.stats().memory
        except Unsupported as error:
            return None, error.message
        if memory is None:
            return None, "no cgroup counts the instances' memory here"
        total += memory
    return total, ""
