"""The helper that stands between Isoscope and the workload: `enter.py MARK STATUS_FD TERMS_FILE`.

It enters new namespaces, forks, and lives on as the parent of the workload, which is process 1 of its pid namespace:
when that ends, the kernel ends everything else in there. A program of its own, because unshare(2) of a pid namespace
and chroot(2) are nothing to do in a process with threads.

It writes lines `name=value` to STATUS_FD: the workload's `pid`, `errno` when execve(2) fails, and `trouble` when
something before it does. End of file without the latter two means that the command executes.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x20000000, 0x40000000  # linux/sched.h
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000  # linux/mount.h

_libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> None:
    """Raise OSError when a system call has failed."""
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount `source` on `target`."""
    texts = (os.fsencode(source), os.fsencode(target), os.fsencode(kind), flags, os.fsencode(options))
    checked(_libc.mount(*texts))


def build(terms: dict[str, Any]) -> None:
    """The namespaces, and the tree below `root`. The mounts go with the namespace."""
    checked(_libc.unshare(CLONE_NEWNS | CLONE_NEWPID | (0 if terms["host_network"] else CLONE_NEWNET)))
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    os.chdir(terms["directory"])  # short relative paths, and no comma or colon of the home's in the options
    for name in ("upper", "work", "root"):
        os.mkdir(name)
    for number, layer in enumerate(terms["layers"]):
        os.symlink(layer, f"layer{number}")
    lower = ":".join(f"layer{number}" for number in reversed(range(len(terms["layers"]))))
    mount("overlay", "root", "overlay", options=f"lowerdir={lower},upperdir=upper,workdir=work")
    mount("/dev", "root/dev", flags=MS_BIND | MS_REC)
    os.chroot("root")


def execute(terms: dict[str, Any], status: int) -> None:
    """Become the workload, or say why not."""
    try:
        mount("proc", "/proc", "proc")
        os.chdir(terms["working_directory"])
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
            signal.signal(number, signal.SIG_DFL)
    except OSError as error:
        os.write(status, b"trouble=%s\n" % os.fsencode(str(error)))
        return
    try:
        os.execvpe(terms["command"][0], terms["command"], terms["environment"])  # noqa: S606
    except OSError as error:
        os.write(status, b"errno=%d\n" % (error.errno or 0))


def main(status: int, terms: dict[str, Any]) -> int:
    """Run the workload; returns its status as os.waitpid(2) gives it."""
    os.set_inheritable(status, False)
    try:
        build(terms)
    except OSError as error:
        os.write(status, b"trouble=%s\n" % os.fsencode(str(error)))
        return 1
    child = os.fork()
    if child == 0:
        execute(terms, status)
        os._exit(127)
    os.write(status, b"pid=%d\n" % child)
    os.closerange(0, 1024)  # the pipes must end with the workload, and with nobody else
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    with open(sys.argv[3], encoding="ascii") as file:
        wanted = json.load(file)
    ended = main(int(sys.argv[2]), wanted)
    if os.WIFSIGNALED(ended):
        with suppress(OSError):  # SIGKILL needs none
            signal.signal(os.WTERMSIG(ended), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(ended))
    os._exit(os.waitstatus_to_exitcode(ended))
