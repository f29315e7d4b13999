"""A caller's standard input on its way into a container: a thread, because reading and sending may both block."""

from __future__ import annotations

import contextlib
import os
import select
import threading

from isoscope.backends.docker.stream import Stream

_PIECE = 1 << 15


class Feeder:
    """Passes a descriptor's bytes on to a container, and their end."""

    def __init__(self, source: int, stream: Stream) -> None:
        self._source, self._stream = source, stream
        self._target = stream.descriptor()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="isoscope-stdin", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more, and wait until that is so. Once."""
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)
        os.close(self._target)

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # the container has ended, or the caller closed the descriptor
            while self._ready(self._source, select.POLLIN):
                data = os.read(self._source, _PIECE)
                if not data:
                    self._stream.end_input()
                    return
                while data and self._ready(self._target, select.POLLOUT):
                    data = data[self._stream.send(data) :]

    def _ready(self, fd: int, event: int) -> bool:
        """Wait until `fd` is ready; False when the thread is to end."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(fd, event)
        return all(ready != self._wake for ready, _ in poll.poll())
