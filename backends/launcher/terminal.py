"""Our end of a workload's terminal; pty(7)."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading

from isoscope.core.output import Stdio

_ROWS, _COLUMNS = 24, 80  # of a VT100


def window_size(stdio: Stdio) -> tuple[int, int]:
    """Rows and columns of the caller's own terminal, else those of a VT100."""
    for fd in (stdio.stdout, stdio.stdin, stdio.stderr):
        if fd is not None:
            with contextlib.suppress(OSError):
                size = os.get_terminal_size(fd)
                return size.lines, size.columns
    return _ROWS, _COLUMNS


class TerminalInput:
    """A thread that passes the caller's input on to a terminal: writing to one may block, so the pump cannot do it."""

    def __init__(self, source: int, terminal: int) -> None:
        self._source, self._terminal = source, os.dup(terminal)
        self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="isoscope-terminal", daemon=True)
        self._thread.start()

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal the size of the caller's; its foreground process group gets SIGWINCH."""
        termios.tcsetwinsize(self._terminal, (rows, columns))

    def close(self) -> None:
        """End the thread, in the middle of a write if need be."""
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        os.close(self._stop)
        os.close(self._terminal)

    def _run(self) -> None:
        try:
            while self._ready(self._source, select.POLLIN):
                data = os.read(self._source, 4096)
                if not data:
                    data = b"\x04"  # the end of input is typed at a terminal
                    self._write(data)
                    return
                if not self._write(data):
                    return
        except OSError:  # the terminal is gone, or the caller closed the source
            return

    def _write(self, data: bytes) -> bool:
        while data:
            if not self._ready(self._terminal, select.POLLOUT):
                return False
            data = data[os.write(self._terminal, data) :]
        return True

    def _ready(self, fd: int, event: int) -> bool:
        """Wait until `fd` is ready; False when the thread is to end."""
        poll = select.poll()
        poll.register(self._stop, select.POLLIN)
        poll.register(fd, event)
        return all(ready != self._stop for ready, _ in poll.poll())
