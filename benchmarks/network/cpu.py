"""What the host's processors do while a test runs, and how much of it is charged to the instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic_ns

from isoscope.benchmarks.cpu_time import spent
from isoscope.benchmarks.proc import TICK_NS
from isoscope.core.instance import Instance

_IDLE, _IOWAIT, _STEAL = 4, 5, 8  # fields of the line "cpu" in proc_stat(5)


#: Share of the host's processors that may be busy before a test, for its cost to be told from what they did anyway:
#: others' work does not go on beside it as before, but gives way to it.
QUIET = 0.2


@dataclass(frozen=True)
class Usage:
    """Processors' worth of time (1.0 is one processor all the time)."""

    host: float
    host_share: float  #: the same, of all that the host has
    ends: float | None  #: None where a backend does not count


@dataclass(frozen=True)
class Sample:
    """Readings of counters, each with its moment: reading the second may take a guest's answer."""

    host_at: int
    host_busy: int
    processors: int
    ends_at: int
    ends_used: int | None

    @classmethod
    def take(cls, ends: Sequence[Instance]) -> Sample:
        """Read all counters now."""
        return cls(*host_busy(), *_used(ends))

    def until(self, later: Sample) -> Usage:
        """What was used between two samples."""
        host = (later.host_busy - self.host_busy) / (later.host_at - self.host_at)
        if self.ends_used is None or later.ends_used is None:
            return Usage(host, host / self.processors, None)
        return Usage(host, host / self.processors, (later.ends_used - self.ends_used) / (later.ends_at - self.ends_at))


def host_busy(stat: Path = Path("/proc/stat")) -> tuple[int, int, int]:
    """The moment, nanoseconds in which processors did anything since some earlier one, and how many there are.

    Elapsed time less idle time: the kernel takes idle time by the clock, but samples at its ticks what a processor was
    busy with, and interrupts that end before the next tick are in none of those figures. Stolen time was another's.
    """
    lines = stat.read_text().splitlines()
    at = monotonic_ns()
    fields = lines[0].split()
    processors = sum(line.startswith("cpu") for line in lines) - 1
    idle = sum(int(fields[place]) for place in (_IDLE, _IOWAIT, _STEAL)) * TICK_NS
    return at, at * processors - idle, processors


def _used(ends: Sequence[Instance]) -> tuple[int, int | None]:
    each = [spent(end) for end in ends]
    total = None if None in each else sum(ns for ns in each if ns is not None)
    return monotonic_ns(), total
