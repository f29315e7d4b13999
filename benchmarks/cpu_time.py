"""The CPU time that a job costs the host and the instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from isoscope.benchmarks.proc import TICK_NS, Ticks
from isoscope.core.errors import Unsupported
from isoscope.core.instance import Instance

#: Why there is none of an instance's.
NOT_COUNTED = "the backend does not count the CPU time of its instances"


@dataclass(frozen=True)
class CpuTime:
    """Nanoseconds of CPU time, from some moment on."""

    host: int  #: of all processors, busy with whatever; in ticks of 10 ms
    instance: int | None  #: what the host spent on it, its VMM included; None where a backend does not count

    @classmethod
    def now(cls, instance: Instance) -> Self:
        """What has been used so far."""
        used = spent(instance)
        return cls(Ticks.now().busy * TICK_NS, used)

    def __sub__(self, other: CpuTime) -> CpuTime:
        both = self.instance is not None and other.instance is not None
        used = self.instance - other.instance if both else None  # type: ignore[operator]
        return CpuTime(self.host - other.host, used)


def spent(instance: Instance) -> int | None:
    """Nanoseconds of CPU time that the host has spent on an instance; None where its backend does not count."""
    try:
        return instance.stats().cpu_ns
    except Unsupported:
        return None
