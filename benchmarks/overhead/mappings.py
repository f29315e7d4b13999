"""The mappings of a process, as /proc/PID/smaps tells them (proc_pid_smaps(5))."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_HEAD = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) ([-r])([-w])([-x])([ps]) ")


@dataclass
class Mapping:
    """A stretch of addresses. Sizes are bytes."""

    size: int
    private_data: bool  #: readable, writable and not shared; what a translator executes is among it
    pss: int = 0


def mappings(pids: Iterable[int]) -> list[Mapping]:
    """Those of all the processes. Raises PermissionError for another user's, FileNotFoundError for one that is gone."""
    found: list[Mapping] = []
    for pid in pids:
        with open(f"/proc/{pid}/smaps", "rb") as smaps:
            found += read(smaps)
    return found


def read(lines: Iterable[bytes]) -> Iterator[Mapping]:
    """The mappings in lines of smaps."""
    one: Mapping | None = None
    for line in lines:
        if head := _HEAD.match(line):
            if one is not None:
                yield one
            start, end, readable, writable, _, shared = head.groups()
            one = Mapping(int(end, 16) - int(start, 16), (readable, writable, shared) == (b"r", b"w", b"p"))
        elif one is not None and line.startswith(b"Pss:"):
            one.pss = int(line.split()[1]) * 1024
    if one is not None:
        yield one
