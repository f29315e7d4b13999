"""The CPU time that a job costs the host and the instance."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from isoscope.core.errors import Unsupported
from isoscope.core.instance import Instance

_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")  # ns
#: Fields of the line "cpu" in proc_stat(5): user, nice, system, irq and softirq. Time of guests is in the first two.
_BUSY = (1, 2, 3, 6, 7)


@dataclass(frozen=True)
class CpuTime:
    """Nanoseconds of CPU time, from some moment on."""

    host: int  #: of all processors, in ticks of 10 ms
    instance: int | None  #: None where a backend does not count

    @classmethod
    def now(cls, instance: Instance) -> CpuTime:
        """What has been used so far."""
        try:
            used = instance.stats().cpu_ns
        except Unsupported:
            used = None
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
        return cls(sum(int(fields[place]) for place in _BUSY) * _TICK, used)

    def __sub__(self, other: CpuTime) -> CpuTime:
        both = self.instance is not None and other.instance is not None
        used = self.instance - other.instance if both else None  # type: ignore[operator]
        return CpuTime(self.host - other.host, used)
