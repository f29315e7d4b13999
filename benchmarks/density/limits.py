"""The limits of this host that instances use up, each with what is used of it now."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MEMORY = "memory"
CPU = "cpu"
PIDS = "pids"
DESCRIPTORS = "file descriptors"
OPEN_FILES = "open files"
MOUNTS = "mounts"
LINKS = "links"
ADDRESSES = "addresses"
DISK = "disk space"
NAMESPACES = "namespaces"
CGROUPS = "cgroups"
WATCHES = "inotify instances"

#: Ports of a bridge: BR_PORT_BITS in the kernel's net/bridge/br_private.h, and number 0 is none.
BRIDGE_PORTS = 1023


@dataclass(frozen=True)
class Usage:
    """A limit: how much of it is used now, and what can be used at most."""

    used: float
    most: float


def memory(meminfo: Mapping[str, int], floor: int) -> Usage:
    """The host's memory down to a floor, in bytes."""
    return Usage(meminfo["MemTotal"] - meminfo["MemAvailable"], meminfo["MemTotal"] - floor)


def shared() -> dict[str, Usage]:
    """Limits whose use can only be read for this process or this host as a whole."""
    with open("/proc/self/mountinfo", "rb") as mountinfo:
        mounts = sum(1 for _ in mountinfo)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = {DESCRIPTORS: Usage(len(os.listdir("/proc/self/fd")), hard)}
    if (most := _number("/proc/sys/fs/mount-max")) is not None:
        found[MOUNTS] = Usage(mounts, most)
    return found


def tasks(others: int, own: int, cgroups: Iterable[Usage]) -> Usage:
    """Tasks: the host's limit (proc_sys_kernel(5)) or that of a cgroup above the instances, whichever leaves less.

    `own` are the instances' tasks, `others` those that ran on the host before.
    """
    known = (_number(f"/proc/sys/kernel/{name}") for name in ("pid_max", "threads-max"))
    host = Usage(others + own, min((n for n in known if n is not None), default=1 << 22))
    return min((host, *cgroups), key=lambda usage: usage.most - usage.used)


def running_tasks() -> int:
    """Tasks of the whole host; proc_loadavg(5)."""
    return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])


def cgroup_tasks(pid: int) -> Iterator[Usage]:
    """pids.max of each cgroup above that of a process, which instances share; cgroup-v2.rst, cgroup-v1/pids.rst."""
    for directory in _above(pid):
        current, most = _number(directory / "pids.current"), _number(directory / "pids.max")
        if current is not None and most is not None:
            yield Usage(current, most)


def _above(pid: int) -> Iterator[Path]:
    """The directories above a process's cgroup in the hierarchy that limits tasks."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:  # it has ended
        return
    places = [line.split(":", 2)[1:] for line in lines]
    for mount, names in _hierarchies():
        for controllers, path in places:
            if controllers.split(",") == names if names != [""] else controllers == "":
                place = (mount / path.lstrip("/")).parent
                while place != mount and place.is_relative_to(mount):
                    yield place
                    place = place.parent


def _hierarchies() -> Iterator[tuple[Path, list[str]]]:
    """Mount points of version 2, and of version 1's `pids`, with the names that proc_pid_cgroup(5) has for them."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = (*after.split(), "", "")[:3]
        if kind == "cgroup2":
            yield Path(before.split()[4]), [""]
        elif kind == "cgroup" and PIDS in options.split(","):
            yield Path(before.split()[4]), [PIDS]


def _number(path: str | Path) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):  # there is none, or it says `max`
        return None
