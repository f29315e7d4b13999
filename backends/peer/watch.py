"""Sees the workload's command being executed, whichever peer executes it; fanotify(7).

A peer says nothing when it has done its work and the command runs. But the command comes out of the instance's own
overlay, a file system of its own, in which nothing else is opened in order to be executed before. So one event of
fanotify, FAN_OPEN_EXEC, tells the moment, and the process.
"""

from __future__ import annotations

import os
import struct
import threading

from isoscope.backends.launcher import syscalls
from isoscope.core.errors import HostError

# linux/fanotify.h
_FAN_CLOEXEC, _FAN_NONBLOCK, _FAN_REPORT_PIDFD = 0x1, 0x2, 0x80
_FAN_MARK_ADD, _FAN_MARK_REMOVE, _FAN_MARK_FILESYSTEM = 0x1, 0x2, 0x100
_FAN_OPEN_EXEC = 0x1000
_METADATA = struct.Struct("=IBBHQii")  # struct fanotify_event_metadata
_PIDFD = struct.Struct("=BBHi")  # struct fanotify_event_info_pidfd, its header included


class Watch:
    """A descriptor that is readable once a file of a tree is opened in order to be executed."""

    def __init__(self) -> None:
        self.fd = syscalls.fanotify_init(_FAN_CLOEXEC | _FAN_NONBLOCK | _FAN_REPORT_PIDFD, os.O_RDONLY | os.O_CLOEXEC)

    def begin(self, tree: str) -> None:
        """Watch the file system that is mounted at `tree`. Raises OSError."""
        syscalls.fanotify_mark(self.fd, _FAN_MARK_ADD | _FAN_MARK_FILESYSTEM, _FAN_OPEN_EXEC, tree)

    def end(self, tree: str) -> None:
        """Watch it no more, and forget what was not read. Raises OSError."""
        syscalls.fanotify_mark(self.fd, _FAN_MARK_REMOVE | _FAN_MARK_FILESYSTEM, _FAN_OPEN_EXEC, tree)
        while (left := self.read()) is not None:
            if left[1] >= 0:
                os.close(left[1])

    def read(self) -> tuple[int, int] | None:
        """Pid and pidfd of the first process that executes; None when there is none.

        The pidfd is the caller's, and -1 when the process has ended already. What else was read, such as a script's
        interpreter, is passed over.
        """
        try:
            data = os.read(self.fd, 4096)
        except BlockingIOError:
            return None
        found: tuple[int, int] | None = None
        while data:
            length, _, _, header, _, file, pid = _METADATA.unpack_from(data)
            *_, pidfd = _PIDFD.unpack_from(data, header)
            if file >= 0:
                os.close(file)
            if found is None:
                found = pid, max(pidfd, -1)
            elif pidfd >= 0:
                os.close(pidfd)
            data = data[length:]
        return found


class Watches:
    """Watches, kept for the next start: the kernel takes milliseconds to close one, and a user may have 128 of them.

    Thread-safe.
    """

    def __init__(self) -> None:
        self._idle: list[Watch] = []
        self._lock = threading.Lock()

    def begin(self, tree: str) -> Watch:
        """One that watches a tree. Raises HostError."""
        with self._lock:
            watch = self._idle.pop() if self._idle else None
        try:
            watch = watch or Watch()
            watch.begin(tree)
        except OSError as error:
            if watch is not None:
                self._keep(watch)
            raise HostError(
                f"cannot see when a command is executed: fanotify: {error.strerror}",
                hint="it takes root on the host, and Linux 5.15 or newer",
            ) from error
        return watch

    def end(self, watch: Watch, tree: str) -> None:
        """Give one back. Raises HostError."""
        try:
            watch.end(tree)
        except OSError as error:
            os.close(watch.fd)
            raise HostError(
                f"cannot end the watch over {tree}: {error.strerror}", hint="somebody else has unmounted it"
            ) from error
        self._keep(watch)

    def _keep(self, watch: Watch) -> None:
        with self._lock:
            self._idle.append(watch)

    def close(self) -> None:
        """Close those that are not in use. Idempotent."""
        with self._lock:
            while self._idle:
                os.close(self._idle.pop().fd)
