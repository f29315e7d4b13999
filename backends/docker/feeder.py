"""A caller's standard input on its way into a container: a thread, because reading and sending may both block."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading

_PIECE = 1 << 15


class Feeder:
    """Passes a descriptor's bytes on to a container's socket, and their end."""

    def __init__(self, source: int, target: socket.socket) -> None:
        # A descriptor of its own: the stream closes its one at the end, and the number may be another's by then.
        self._source, self._target = source, target.dup()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="isoscope-stdin", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more, and wait until that is so. Once."""
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # the container has ended, or the caller closed the descriptor
            while self._ready(self._source, select.POLLIN):
                data = os.read(self._source, _PIECE)
                if not data:
                    self._target.shutdown(socket.SHUT_WR)
                    break
                while data and self._ready(self._target.fileno(), select.POLLOUT):
                    data = data[self._target.send(data) :]
        self._target.close()

    def _ready(self, fd: int, event: int) -> bool:
        """Wait until `fd` is ready; False when the thread is to end."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(fd, event)
        return all(ready != self._wake for ready, _ in poll.poll())
