"""The cgroups that LXC makes for a container, all of them below one of the instance's name, in every hierarchy.

LXC has three: one for the container (`lxc.payload.NAME` by default), one for lxc-start itself (`lxc.monitor.NAME`), and
one to which lxc-start withdraws at the end, so that it can remove the others (`lxc.pivot`, which stays). Here they are
`isoscope/MARK/payload`, `.../monitor` and `.../pivot`. The limits are LXC's to set, by its own keys.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isoscope.backends.launcher.cgroups import FOLDER, UNIFIED, Cgroup, Tree
from isoscope.core.workload import Resources

PAYLOAD, _MONITOR, _PIVOT = "payload", "monitor", "pivot"
_PERIOD = 100_000  # µs, the kernel's default
_LEAST_QUOTA = 1_000  # µs, the least that the kernel takes
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Groups:
    """The cgroups of one container."""

    tree: Tree
    mark: str
    told: Path  #: where the count of what was killed for want of memory is left, when version 1 counts it

    def terms(self) -> list[tuple[str, str]]:
        """Which cgroup is whose, as LXC's keys have it."""
        pairs = (("container", PAYLOAD), ("monitor", _MONITOR), ("monitor.pivot", _PIVOT))
        return [(whose, f"{FOLDER}/{self.mark}/{name}") for whose, name in pairs]

    def payload(self) -> Cgroup:
        """That of the container."""
        return self._of(f"/{PAYLOAD}")

    def whole(self) -> Cgroup:
        """That of all three, which counts what is used in each."""
        return self._of("")

    def _of(self, below: str) -> Cgroup:
        directories = {name: f"{folder / self.mark}{below}" for name, folder in self.tree.folders.items()}
        return Cgroup(directories, self.tree.unified_controllers)

    def limits(self, wanted: Resources) -> Iterator[str]:
        """Lines of the configuration."""
        unified = self.tree.unified_controllers
        if wanted.cpus is not None:
            quota = max(int(wanted.cpus * _PERIOD), _LEAST_QUOTA)
            if "cpu" in unified:
                yield f"lxc.cgroup2.cpu.max = {quota} {_PERIOD}"
            else:
                yield f"lxc.cgroup.cpu.cfs_period_us = {_PERIOD}"
                yield f"lxc.cgroup.cpu.cfs_quota_us = {quota}"
        if wanted.memory is not None:
            memory = wanted.memory // _PAGE * _PAGE
            if "memory" in unified:
                yield f"lxc.cgroup2.memory.max = {memory}"
                if (self.tree.folders[UNIFIED] / "memory.swap.max").exists():  # else the kernel counts no swap
                    yield "lxc.cgroup2.memory.swap.max = 0"
            else:
                yield f"lxc.cgroup.memory.limit_in_bytes = {memory}"
                if (self.tree.folders["memory"] / "memory.memsw.limit_in_bytes").exists():
                    yield f"lxc.cgroup.memory.memsw.limit_in_bytes = {memory}"
                yield from self._tell()
        if wanted.pids is not None:
            yield f"lxc.cgroup{'2' if 'pids' in unified else ''}.pids.max = {wanted.pids}"

    def _tell(self) -> Iterator[str]:
        """Version 1 counts kills in the one cgroup that LXC removes as soon as the container has ended: ask before."""
        source = f"{self.tree.folders['memory'] / self.mark / PAYLOAD}/memory.oom_control"
        yield f"lxc.hook.stop = /bin/cp {shlex.quote(source)} {shlex.quote(str(self.told))} #"

    def oom_killed(self) -> bool:
        """Whether the kernel has killed anything for want of memory."""
        if "memory" in self.tree.unified_controllers:
            return self.whole().oom_killed()
        try:
            lines = self.told.read_text().splitlines()
        except OSError:
            return False
        return any(line.startswith("oom_kill ") and line != "oom_kill 0" for line in lines)
