"""A caller's standard input on its way into a guest: a thread, because reading and sending may both block."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable

from isoscope.backends.vm.protocol import STDIN_WINDOW

_PIECE = 1 << 15


class Feeder:
    """Reads a descriptor as far as the guest has room, and passes it on; an empty piece says that it has ended."""

    def __init__(self, source: int, send: Callable[[bytes], bool]) -> None:
        self._source, self._send = source, send
        self._credit = STDIN_WINDOW
        self._changed = threading.Condition()
        self._stopped = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="isoscope-stdin", daemon=True)
        self._thread.start()

    def grant(self, count: int) -> None:
        """The command in the guest has taken `count` bytes."""
        with self._changed:
            self._credit += count
            self._changed.notify()

    def stop(self) -> None:
        """Read no more. Idempotent; the thread ends soon after."""
        with self._changed:
            if not self._stopped:
                self._stopped = True
                os.eventfd_write(self._wake, 1)
                self._changed.notify()

    def _run(self) -> None:
        try:
            while (room := self._room()) > 0 and self._readable():
                try:
                    data = os.read(self._source, min(room, _PIECE))
                except OSError:  # a terminal that was hung up, or the caller closed it
                    data = b""
                with self._changed:
                    self._credit -= len(data)
                if not self._send(data) or not data:
                    return
        finally:
            self.stop()
            os.close(self._wake)

    def _room(self) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._credit > 0 or self._stopped)
            return 0 if self._stopped else self._credit

    def _readable(self) -> bool:
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        return self._wake not in {fd for fd, _ in poll.poll()}
