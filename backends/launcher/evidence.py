"""What proves that a process is isolated: the kernel's own word for it."""

from __future__ import annotations

import contextlib
import os

from isoscope.backends.launcher.cgroups import read

_KERNEL = os.uname().release
_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")  # of namespaces(7)


def evidence(pid: int) -> dict[str, str]:
    """What the kernel says of a process: less when it has ended already.

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
