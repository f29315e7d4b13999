"""The CPU time that a job costs the host and the instance."""

from __future__ import annotations

from dataclasses import dataclass

from isoscope.benchmarks.network.cpu import host_busy
from isoscope.core.errors import Unsupported
from isoscope.core.instance import Instance


@dataclass(frozen=True)
class CpuTime:
    """Nanoseconds of CPU time, from some moment on."""

    host: int
    instance: int | None  #: None where a backend does not count

    @classmethod
    def now(cls, instance: Instance) -> CpuTime:
        """What has been used so far."""
        try:
            used = instance.stats().cpu_ns
        except Unsupported:
            used = None
        return cls(host_busy()[0], used)

    def __sub__(self, other: CpuTime) -> CpuTime:
        both = self.instance is not None and other.instance is not None
        used = self.instance - other.instance if both else None  # type: ignore[operator]
        return CpuTime(self.host - other.host, used)
