"""Which users a container without root has: user_namespaces(7), subuid(5), newuidmap(1)."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from isoscope.backends.container.namespaces import AwaitMaps, WriteMaps
from isoscope.backends.launcher.step import Step
from isoscope.core.errors import HostError

Ranges = tuple[tuple[int, int, int], ...]  #: first id inside, first id outside, how many


@dataclass(frozen=True)
class IdMaps:
    """The users and groups of a user namespace; root inside is the caller outside."""

    uids: Ranges
    gids: Ranges

    @classmethod
    def of_caller(cls, etc: Path = Path("/etc")) -> IdMaps:
        """The ranges that are set aside for the caller where newuidmap can map them, else the caller alone."""
        uid, gid = os.geteuid(), os.getegid()
        uids, gids = _subordinate(etc / "subuid", uid), _subordinate(etc / "subgid", uid)
        if not (uids and gids and shutil.which("newuidmap") and shutil.which("newgidmap")):
            uids = gids = ()
        return cls(((0, uid, 1), *uids), ((0, gid, 1), *gids))

    @property
    def many(self) -> bool:
        """Whether there are other ids than the caller's own."""
        return len(self.uids) > 1

    def has_gid(self, gid: int) -> bool:
        """Whether a group exists inside."""
        return any(first <= gid < first + count for first, _, count in self.gids)

    def step(self) -> Step:
        """How the new process gets them."""
        return AwaitMaps(self.uids, self.gids) if self.many else WriteMaps(self.uids[0][1], self.gids[0][1])

    def write(self, pid: int) -> None:
        """Map the ranges for a process that waits for it. Raises HostError."""
        for program, ranges in (("newuidmap", self.uids), ("newgidmap", self.gids)):
            numbers = [str(number) for entry in ranges for number in entry]
            done = subprocess.run([program, str(pid), *numbers], stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                raise HostError(
                    f"{program} failed: {done.stderr.strip()}",
                    hint="see /etc/subuid and /etc/subgid, and apt install uidmap",
                )


def _subordinate(file: Path, uid: int) -> Ranges:
    """The ranges of a user in subuid(5) or subgid(5), laid one after the other from 1 upwards inside."""
    try:
        lines = [line.split(":") for line in file.read_text().splitlines()]
        names = {str(uid), pwd.getpwuid(uid).pw_name}
    except (OSError, KeyError):
        return ()
    ranges, inside = [], 1
    for fields in lines:
        if len(fields) == 3 and fields[0] in names and fields[1].isdecimal() and fields[2].isdecimal():
            ranges.append((inside, int(fields[1]), int(fields[2])))
            inside += int(fields[2])
    return tuple(ranges)
