"""A process that was launched, as the pump sees it: its output as it comes, and its end."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic_ns

from isoscope.backends.launcher.terminal import TerminalInput
from isoscope.core.errors import InstanceFailed, Timeout
from isoscope.core.instance import Execution, Exit
from isoscope.core.pump import Pump

_CHUNK = 1 << 16  # a pipe's capacity, pipe(7)
_DRAIN = 64  # reads after the end: a terminal gives 4 KiB at a time

#: Called with a stream's name, a piece of its output, and when it was seen.
OnOutput = Callable[[str, bytes, int], None]


class Task:
    """Follows one process until its end. Every descriptor given is the task's from then on."""

    def __init__(
        self,
        pump: Pump,
        pidfd: int,
        streams: dict[str, int],
        *,
        on_output: OnOutput,
        on_exit: Callable[[Exit, int], None],
        keyboard: TerminalInput | None = None,
    ) -> None:
        self._pump, self._pidfd, self._streams, self._keyboard = pump, pidfd, streams, keyboard
        self._on_output, self._on_exit = on_output, on_exit
        self._lock = threading.Lock()  # guards the pidfd: a signal must not go to whatever has its number next
        # Guards the streams: whoever is told of the end may close them while the pump still has one to read.
        self._reading = threading.Lock()
        self._ended = False

    def follow(self) -> None:
        """Start to listen."""
        for stream, fd in list(self._streams.items()):
            self.listen(stream, fd)
        self._pump.add(self._pidfd, self._reap)

    def listen(self, stream: str, fd: int) -> None:
        """Listen to a further stream, until its end or `close`."""
        with self._reading:
            self._streams[stream] = fd
        os.set_blocking(fd, False)
        self._pump.add(fd, partial(self._readable, stream, fd))

    def kill(self, signal_number: int) -> None:
        """Send a signal. A process that has ended is left alone."""
        with self._lock:
            if not self._ended:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, signal_number)

    def resize(self, rows: int, columns: int) -> None:
        """Resize its terminal, where it has one."""
        with self._lock:
            if self._keyboard is not None and not self._ended:
                self._keyboard.resize(rows, columns)

    @contextlib.contextmanager
    def descriptor(self) -> Iterator[int]:
        """A pidfd of the process. Raises InstanceFailed when it has ended."""
        with self._lock:
            if self._ended:
                raise InstanceFailed("the workload has ended meanwhile", hint="start a new instance")
            fd = os.dup(self._pidfd)
        try:
            yield fd
        finally:
            os.close(fd)

    def _readable(self, stream: str, fd: int) -> None:
        self._read(stream, fd)

    def _read(self, stream: str, fd: int) -> bool:
        """Pass on a piece of output. False when there is nothing left, for now or for good."""
        with self._reading:
            if self._streams.get(stream) != fd:
                return False  # closed meanwhile, and its number may be another's
            try:
                data = os.read(fd, _CHUNK)
            except BlockingIOError:
                return False
            except OSError:  # EIO: the last process has closed the terminal
                data = b""
            if not data:
                self._drop(stream)
                return False
        self._on_output(stream, data, monotonic_ns())
        return True

    def _drop(self, stream: str) -> None:
        """With `_reading`."""
        fd = self._streams.pop(stream)
        self._pump.remove(fd)
        os.close(fd)

    def _reap(self) -> None:
        at_ns = monotonic_ns()
        self._pump.remove(self._pidfd)
        with self._lock:
            ended = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
            self._ended = True
            os.close(self._pidfd)
        assert ended is not None
        if self._keyboard is not None:
            self._keyboard.close()
        self.drain()
        exited = ended.si_code == os.CLD_EXITED
        self._on_exit(Exit(code=ended.si_status) if exited else Exit(signal=ended.si_status), at_ns)

    def drain(self) -> None:
        """Pass on what is in the pipes already; what others that were left behind go on to write is not waited for."""
        for stream, fd in list(self._streams.items()):
            for _ in range(_DRAIN):
                if not self._read(stream, fd):
                    break

    def close(self) -> None:
        """Listen no more. After the end of the process."""
        with self._reading:
            for stream in list(self._streams):
                self._drop(stream)


class LaunchedExecution(Execution):
    """A second command in an instance."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._exit: Exit | None = None
        self.task: Task | None = None

    def ended(self, how: Exit, at_ns: int) -> None:
        """For the task: the command has ended."""
        self._exit = how
        self._ended.set()

    def wait(self, timeout: float | None = None) -> Exit:
        if not self._ended.wait(timeout):
            raise Timeout(f"the command did not end within {timeout:g} s", hint="it goes on; wait longer, or kill it")
        assert self._exit is not None
        return self._exit

    def kill(self, signal_number: int) -> None:
        assert self.task is not None
        self.task.kill(signal_number)

    def resize(self, rows: int, columns: int) -> None:
        assert self.task is not None
        self.task.resize(rows, columns)
