"""What LXC says of a container while it lives: the FIFO that lxc-start(1) writes to for lxc-monitor(1).

`/run/lxc/LXCPATH/monitor-fifo`, where there is one with a reader, gets a message of fixed size for every state of every
container of LXCPATH, and one with the wait status of its process 1 at the end (`struct lxc_msg`, src/lxc/monitor.h, the
same since LXC 1.0; lxc-monitord(8) reads it). RUNNING is said when the command's execve(2) has succeeded: it closes a
pipe that lxc-start waits for. lxc-start itself ends with 0, however the command has ended.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from isoscope.core.errors import InputError

_RUN = Path("/run/lxc")
_FIFO = "monitor-fifo"
_MESSAGE = struct.Struct("=i256si")  # type, name, value
_STATE, _EXIT_CODE = 0, 2
_STATES = ("STOPPED", "STARTING", "RUNNING", "STOPPING", "ABORTING", "FREEZING", "FROZEN", "THAWED")
_LONGEST = 4000  # bytes; PATH_MAX less what LXC appends


class Monitor:
    """The reading end of the FIFO of one LXCPATH."""

    def __init__(self, lxcpath: Path) -> None:
        """Make the FIFO. Raises OSError, and InputError when its path would be too long."""
        path = _below(_RUN, lxcpath) / _FIFO
        if len(os.fsencode(path)) > _LONGEST:
            raise InputError("the path of the state directory is too long for LXC", hint="set ISOSCOPE_HOME")
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path, 0o600)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        # A FIFO that had a writer and has none is readable for ever (poll(2), POLLHUP); this one always has.
        self._writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        """Readable when something was said."""
        return self._fd

    def said(self) -> Iterator[str | int]:
        """What was said since the last call: names of states, and at the end the wait status of process 1."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._fd, _MESSAGE.size):  # written in one piece each: they are below PIPE_BUF
                kind, _, value = _MESSAGE.unpack(data)
                if kind == _EXIT_CODE:
                    yield value
                elif kind == _STATE and 0 <= value < len(_STATES):
                    yield _STATES[value]

    def close(self) -> None:
        """Read no more. Idempotent."""
        for fd in (self._fd, self._writer):
            if fd >= 0:
                os.close(fd)
        self._fd = self._writer = -1


def remove(lxcpath: Path, name: str, home: Path) -> None:
    """Remove what LXC and we keep in /run/lxc for a container, and the empty directories that were made for it.

    Those above `home` stay: containers of others may be about to use them. Idempotent.
    """
    for top, file in ((_RUN, _FIFO), (_RUN / "lock", f".{name}")):
        directory = _below(top, lxcpath)
        with contextlib.suppress(FileNotFoundError):
            (directory / file).unlink()
        while directory.is_relative_to(_below(top, home)):
            try:
                directory.rmdir()
            except FileNotFoundError:
                pass
            except OSError:  # others' things are in it
                break
            directory = directory.parent


def _below(top: Path, path: Path) -> Path:
    return top / path.relative_to("/")
