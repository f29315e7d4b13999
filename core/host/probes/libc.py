"""System calls that Python 3.11 has no functions for, under their own names."""

from __future__ import annotations

import ctypes
import os
import signal

_LIBC = ctypes.CDLL(None, use_errno=True)

CLONE_NEW = {
    "cgroup": 0x02000000,
    "ipc": 0x08000000,
    "mnt": 0x00020000,
    "net": 0x40000000,
    "pid": 0x20000000,
    "time": 0x00000080,
    "user": 0x10000000,
    "uts": 0x04000000,
}  #: linux/sched.h, by the names of /proc/PID/ns

MS_REC = 0x4000
MS_PRIVATE = 1 << 18
PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2


def call(name: str, *arguments: object) -> int:
    """Call a function of the C library that returns -1 on failure. Raises OSError with the function's name."""
    ctypes.set_errno(0)
    result: int = getattr(_LIBC, name)(*arguments)
    if result == -1:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno), name)
    return result


def unshare(flags: int) -> None:
    """Leave namespaces for new ones."""
    call("unshare", flags)


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """Attach a filesystem."""
    call("mount", source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), os.fsencode(data))


def prctl(option: int, argument: object = 0) -> None:
    """Change a property of this process; the other arguments are zero."""
    zero = ctypes.c_ulong(0)
    value = ctypes.c_ulong(argument) if isinstance(argument, int) else argument
    call("prctl", option, value, zero, zero, zero)


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that started it ends, so that nothing is left running."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
