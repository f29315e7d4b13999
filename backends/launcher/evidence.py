"""What the kernel says of a process: what proves that it is isolated, and whose child it is."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from isoscope.backends.launcher.cgroups import read

_KERNEL = os.uname().release
_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")  # of namespaces(7)


def evidence(pid: int) -> dict[str, str]:
    """Its kernel, cgroups and namespaces: less when it has ended already.

    Read in the midst of a start, with cold caches: by paths it would take twice the time.
    """
    shown = {"kernel": _KERNEL}
    with contextlib.suppress(OSError):
        shown["cgroup"] = read(f"/proc/{pid}/cgroup")  # of a zombie, too; namespaces it has none any more
        links = os.open(f"/proc/{pid}/ns", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            shown["namespaces"] = " ".join([os.readlink(name, dir_fd=links) for name in _NAMESPACES])
        finally:
            os.close(links)
    return shown


def parent(pid: int) -> int | None:
    """The parent of a process, also of one that waits to be reaped; None when it is gone. proc_pid_stat(5)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()  # a process may call itself by any bytes
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(b")")[2].split(maxsplit=2)[1])
