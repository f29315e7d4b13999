"""Processes that a peer leaves behind become our children, so that their end is seen; PR_SET_CHILD_SUBREAPER, prctl(2).

For as short as can be: whatever other parts of this process orphan meanwhile comes to us, too, and stays a zombie.
"""

from __future__ import annotations

import threading

from isoscope.backends.launcher import syscalls
from isoscope.backends.launcher.cgroups import read

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

_lock = threading.Lock()
_count = 0


def begin() -> None:
    """Adopt, until everybody who has asked for it says `end`."""
    _change(1)


def end() -> None:
    """Adopt no more, but for others who asked."""
    _change(-1)


def _change(by: int) -> None:
    global _count  # the kernel's setting is the process's, too
    with _lock:
        before, _count = _count, _count + by
        if bool(before) != bool(_count):
            syscalls.prctl(_PR_SET_CHILD_SUBREAPER, int(bool(_count)))


def parent(pid: int) -> int | None:
    """The parent of a process, also of one that waits to be reaped; None when it is gone. proc_pid_stat(5)."""
    try:
        return int(read(f"/proc/{pid}/stat").rpartition(")")[2].split(maxsplit=2)[1])
    except (FileNotFoundError, ProcessLookupError):
        return None
