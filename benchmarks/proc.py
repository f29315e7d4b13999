"""What a kernel counts of the whole machine: proc_stat(5), proc_meminfo(5)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def meminfo(text: str | None = None) -> dict[str, int]:
    """The sizes in proc_meminfo(5), in bytes by name: the host's, or those of a text that came from elsewhere."""
    text = Path("/proc/meminfo").read_text() if text is None else text
    rows = (line.split() for line in text.splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) == 3 and row[1].isdecimal()}


@dataclass(frozen=True)
class Ticks:
    """CPU time of all processors of the host since it started, in units of `TICK_NS`, as sampled by its kernel."""

    total: int
    idle: int  #: waiting for disks is idle, too
    steal: int  #: taken away by a hypervisor

    @classmethod
    def now(cls) -> Self:
        """What there is so far."""
        with open("/proc/stat") as stat:
            fields = [int(field) for field in stat.readline().split()[1:9]]  # guests' time, after them, is user time
        return cls(sum(fields), fields[3] + fields[4], fields[7])

    @property
    def busy(self) -> int:
        """What was neither idle nor taken away."""
        return self.total - self.idle - self.steal

    @property
    def idle_share(self) -> float | None:
        """Of a difference: the share that was idle; None when no time has passed."""
        return self.idle / self.total if self.total else None

    def __sub__(self, other: Ticks) -> Ticks:
        return Ticks(self.total - other.total, self.idle - other.idle, self.steal - other.steal)
