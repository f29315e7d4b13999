"""What rules of scaling may know of this host."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import Self

from isoscope.benchmarks.memory.caches import last_level_cache
from isoscope.core.lab import Lab


@dataclass(frozen=True)
class Here:
    """A host as a recipe sees it. Sizes are bytes."""

    cpus: int  #: hardware threads that this process may run on
    sockets: int  #: 1 where it is not told
    memory: int
    available: int  #: of the memory
    cache: int  #: the last level's; 0 where the host does not show it
    disk_free: int  #: below the state directory
    kvm: bool  #: usable; else virtual machines run under TCG
    root: bool

    @classmethod
    def of(cls, lab: Lab) -> Self:
        """The host of a lab."""
        memory = lab.host.memory
        return cls(
            cpus=lab.host.cpu.usable,
            sockets=lab.host.cpu.sockets or 1,
            memory=memory.total or 0,
            available=memory.available or 0,
            cache=int(last_level_cache().get("llc_bytes", 0)),
            disk_free=shutil.disk_usage(lab.home).free,
            kvm=lab.host.kvm.usable,
            root=os.geteuid() == 0,
        )
