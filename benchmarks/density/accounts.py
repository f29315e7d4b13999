"""What processes and the host use, read from the kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path


def pss(pids: Iterable[int]) -> int:
    """Sum of the processes' Pss in bytes, proc_pid_smaps(5); those that have ended count nothing.

    Raises PermissionError for another user's.
    """
    total = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/smaps_rollup", "rb") as rollup:
            for line in rollup:
                if line.startswith(b"Pss:"):
                    total += int(line.split()[1]) * 1024
                    break
    return total


def cpu_clocks(pids: Iterable[int]) -> dict[int, int]:
    """CPU time of each process so far in nanoseconds, by clock_getcpuclockid(3); those that have ended are left out."""
    found = {}
    for pid in pids:
        with suppress(OSError):
            found[pid] = time.clock_gettime_ns((~pid << 3) | 2)
    return found


def tasks(pids: Iterable[int]) -> int:
    """Tasks of processes together."""
    total = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            total += os.stat(f"/proc/{pid}/task").st_nlink - 2  # a directory for each
    return total


def keepers(instances: Collection[int]) -> list[int]:
    """This process and those children of it that are not the instances': the helpers that serve all of them."""
    children: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            children.update(map(int, path.read_text().split()))
    return [os.getpid(), *sorted(children.difference(instances))]


def ksm() -> str:
    """Whether the kernel merges equal pages (Documentation/admin-guide/mm/ksm.rst): `off`, or how many it shares."""
    directory = Path("/sys/kernel/mm/ksm")
    try:
        if (directory / "run").read_text().strip() != "1":
            return "off"
        return f"on, {(directory / 'pages_sharing').read_text().strip()} pages saved"
    except OSError:
        return "off"
