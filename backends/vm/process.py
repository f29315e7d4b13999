"""The QEMU process of one VM, held by a pidfd, so that it cannot be mistaken for another."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from isoscope.core.instance import Stats


class QemuProcess:
    """A process held by its pidfd; close it when done."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd = pidfd

    def fileno(self) -> int:
        """Its pidfd, which is readable once it has ended; -1 when closed."""
        return self._pidfd

    def kill(self) -> None:
        """End it, and wait until it has ended. Idempotent."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        poll.poll()

    def stats(self) -> Stats:
        """CPU time and memory of the whole process: the guest, its devices and the VMM itself."""
        try:
            cpu_ns = cpu_time((self.pid,))
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return Stats()
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        if "VmRSS" not in fields:  # it is ending
            return Stats(cpu_ns=cpu_ns)
        resident, peak = (int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
        return Stats(cpu_ns=cpu_ns, memory=resident, memory_peak=peak)

    def close(self) -> None:
        """Let go of the pidfd. Idempotent."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


def cpu_time(pids: Iterable[int]) -> int:
    """CPU time of processes together, in nanoseconds; those that have ended count nothing."""
    used = 0
    for pid in pids:
        with suppress(OSError):
            used += time.clock_gettime_ns((~pid << 3) | 2)  # its CPU-time clock, clock_getcpuclockid(3)
    return used


def find(pid_file: Path, domain: str) -> QemuProcess | None:
    """The QEMU that a pid file of libvirt names, if it runs and is that domain's."""
    try:
        pid = int(pid_file.read_text())
        pidfd = os.pidfd_open(pid)
    except (OSError, ValueError):
        return None
    # The pidfd pins the process; its command line then tells whether the number had been given to another.
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        arguments = []
    if any(argument.split(b",")[0] == b"guest=" + os.fsencode(domain) for argument in arguments):
        return QemuProcess(pid, pidfd)
    os.close(pidfd)
    return None
