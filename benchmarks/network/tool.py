"""A program that runs in an instance while the benchmark does something else."""

from __future__ import annotations

import os
import select
import shlex
import signal
import threading
from collections.abc import Sequence
from socket import socket
from tempfile import TemporaryFile
from time import monotonic
from types import TracebackType
from typing import Self

from isoscope.benchmarks.inside import begin
from isoscope.core.errors import IsoscopeError, Timeout, WorkloadFailed
from isoscope.core.instance import Exit, Instance
from isoscope.core.output import Stdio

#: Bytes of output that are kept; no tool of ours prints a tenth of it, but the image may hold another.
_MOST = 16 << 20

#: What an error repeats of a tool's last words. The reason may stand before the last line: "iperf3: exiting".
_LAST_LINES, _LAST_WORDS = 2, 300
_END = 10.0  #: seconds that a killed tool may take to be gone


class Tool:
    """A command in a running instance. As a context manager it is killed at the end, should it still run.

    Its output is read as it comes: what nobody reads would in the end hold up the command, and whoever passes it on.
    """

    def __init__(self, instance: Instance, command: Sequence[str]) -> None:
        """Start it. Raises what `begin` raises."""
        self._command = tuple(command)
        self._output, self._heard = bytearray(), threading.Condition()
        self._exit: Exit | None = None
        self._failure: IsoscopeError | None = None
        self._over = os.eventfd(0, os.EFD_CLOEXEC)
        self._word, self._said = b"", os.eventfd(0, os.EFD_CLOEXEC)
        self._stderr = TemporaryFile()  # noqa: SIM115 -- closed at the end
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            self._execution = begin(instance, self._command, Stdio(stdout=writing, stderr=self._stderr.fileno()))
        except BaseException:
            for fd in (reading, writing, self._over, self._said):
                os.close(fd)
            self._stderr.close()
            raise
        self._threads = [
            threading.Thread(target=self._read, args=(reading,), daemon=True),
            threading.Thread(target=self._reap, args=(writing,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def await_output(self, sign: bytes, timeout: float) -> None:
        """Wait until its output holds `sign`. Raises WorkloadFailed when it ends before, and Timeout."""
        with self._heard:
            if not self._heard.wait_for(lambda: sign in self._output or self._has_ended(), timeout):
                raise Timeout(f"{self._words()} did not say {sign.decode()!r} within {timeout:g} s")
            if sign not in self._output:
                raise self._failed()

    def word(self, sign: bytes) -> int:
        """A descriptor that is readable from when its output holds `sign`; for one sign of each tool."""
        with self._heard:
            self._word = sign
            self._listen()
        return self._said

    def await_end_or(self, fd: int | socket, timeout: float) -> bool:
        """Wait until `fd` is readable; False when the tool ends before, or after `timeout` seconds."""
        return fd in select.select([fd, self._over], [], [], timeout)[0]

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends so soon. Waits for as long as it does not."""
        return bool(select.select([self._over], [], [], max(0.0, seconds))[0])

    def result(self, timeout: float, statuses: tuple[int, ...] = (0,)) -> bytes:
        """Its whole standard output, once it has ended. Raises WorkloadFailed for other statuses, and Timeout."""
        if not self.ends_within(timeout):
            self.kill()
            raise Timeout(f"{self._words()} did not end within {timeout:g} s")
        if self._exit is None or self._exit.exit_status not in statuses:
            raise self._failed()
        return bytes(self._output)

    def kill(self) -> None:
        """End it. Does nothing when it has ended."""
        if not self.ends_within(0):
            self._execution.kill(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        deadline = monotonic() + _END
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            return  # its instance will be deleted; the descriptors are still in use until then
        os.close(self._over)
        os.close(self._said)
        self._stderr.close()

    # On threads of their own

    def _read(self, fd: int) -> None:
        with open(fd, "rb", buffering=0) as stream:
            while piece := stream.read(1 << 16):
                with self._heard:
                    self._output += piece[: max(0, _MOST - len(self._output))]
                    self._listen()
                    self._heard.notify_all()

    def _listen(self) -> None:
        """Whether the word has been said. With `_heard`."""
        if self._word and self._word in self._output:
            os.eventfd_write(self._said, 1)
            self._word = b""

    def _reap(self, writing: int) -> None:
        try:
            self._exit = self._execution.wait()
        except IsoscopeError as error:  # the instance has gone under it
            self._failure = error
        # Only now: a backend may pass on the output by itself, to this descriptor.
        os.close(writing)
        self._threads[0].join()
        os.eventfd_write(self._over, 1)
        with self._heard:
            self._heard.notify_all()

    # What went wrong

    def _has_ended(self) -> bool:
        return bool(select.select([self._over], [], [], 0)[0])

    def _failed(self) -> IsoscopeError:
        if self._failure is not None:
            return self._failure
        assert self._exit is not None
        told = (os.pread(self._stderr.fileno(), _MOST, 0) or bytes(self._output)).decode("utf-8", "replace")
        return WorkloadFailed(
            f"{self._words()} ended with status {self._exit.exit_status}",
            hint="; ".join(told.strip().splitlines()[-_LAST_LINES:])[-_LAST_WORDS:],
            command_status=self._exit.exit_status,
        )

    def _words(self) -> str:
        words = shlex.join(self._command)
        return words if len(words) <= 80 else f"{words[:79]}…"
