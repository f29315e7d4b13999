"""How a command in a container of systemd-nspawn ended.

systemd-nspawn(1) ends with the command's own status, but for three cases: where a signal ended the command, it ends
with 1 (after SIGINT with 0, after SIGHUP with 133), and for 133 it ends with 1. The kernel knows better, from Linux
6.15 on: a pidfd tells the wait status of a process that another has reaped (`PIDFD_INFO_EXIT`,
include/uapi/linux/pidfd.h). Before, there is what systemd-nspawn writes to its standard error, which is the command's
as well.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct

from isoscope.core.instance import Exit

_INFO = struct.Struct("=QQ11Ii")  # struct pidfd_info, PIDFD_INFO_SIZE_VER0: mask, cgroup, ids, exit code
_PIDFD_INFO_EXIT = 1 << 3
_PIDFD_GET_INFO = 3 << 30 | _INFO.size << 16 | 0xFF << 8 | 11  # _IOWR(PIDFS_IOCTL_MAGIC, 11, struct pidfd_info)

_PROPAGATE = "/run/systemd/nspawn/propagate"
_LEAST = 20  # bytes


def from_kernel(pidfd: int) -> Exit | None:
    """How a process ended that its parent has reaped; None where the kernel does not say."""
    question = _INFO.pack(_PIDFD_INFO_EXIT, *[0] * 13)
    try:
        answer = fcntl.ioctl(pidfd, _PIDFD_GET_INFO, question)
    except OSError:  # a kernel before 6.13 has no such call
        return None
    mask, *_, status = _INFO.unpack(answer)
    return _of_status(status) if mask & _PIDFD_INFO_EXIT else None


def from_words(status: int, words: bytes) -> Exit:
    """What systemd-nspawn says of it: its own exit status, and its last words, which name the signal."""
    if (found := re.search(rb"terminated by signal ([A-Z0-9+]+)\.", words)) is not None:
        number = getattr(signal, f"SIG{found[1].decode()}", None)
        if number is not None:
            return Exit(signal=int(number))
    return Exit(code=status)


def _of_status(status: int) -> Exit:
    """A wait status as wait(2) has it."""
    code = os.waitstatus_to_exitcode(status)
    return Exit(code=code) if code >= 0 else Exit(signal=-code)


class LastWords:
    """The end of an output that a command shares with systemd-nspawn, which itself may write there at the end.

    What may be its own is held back until more follows, or the end has come: then it is dropped.
    """

    def __init__(self, machine: str) -> None:
        self._own = (
            f"Container {machine} terminated by signal ".encode(),
            # Where /run is on a disk; it says no more than that.
            f'Attempted to remove disk file system under "{_PROPAGATE}/{machine}"'.encode(),
        )
        # A terminal may give a line in pieces. One that is shorter than this is taken for the command's.
        self._begin = re.compile(b"|".join(re.escape(line[:_LEAST]) for line in self._own))
        self.held = b""

    def pass_on(self, data: bytes) -> bytes:
        """Those bytes that can be the command's alone, with what was held back before."""
        data, self.held = self.held + data, b""
        for found in self._begin.finditer(data):
            if self._is_own(data[found.start() :]):
                self.held = data[found.start() :]
                return data[: found.start()]
        return data

    def _is_own(self, text: bytes) -> bool:
        *lines, last = text.split(b"\n")
        return all(line.startswith(self._own) for line in lines) and (
            last.startswith(self._own) or any(own.startswith(last) for own in self._own)
        )
