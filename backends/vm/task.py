"""A command in a guest, as the host sees it: the workload, or an exec beside it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from isoscope.backends.vm.feeder import Feeder
from isoscope.backends.vm.protocol import END, NUMBER, SIZE, Kind, text
from isoscope.core.errors import (
    CommandNotExecutable,
    CommandNotFound,
    InstanceFailed,
    IsoscopeError,
    Timeout,
    WorkloadFailed,
)
from isoscope.core.instance import Execution, Exit


@dataclass(frozen=True)
class Command:
    """What the guest is asked to run."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str
    user: str
    stdin: int | None  #: the caller's descriptor
    terminal: tuple[int, int] | None  #: rows and columns of the terminal that it gets, if it gets one

    def encode(self) -> bytes:
        """The payload of RUN."""
        return text(self._pairs())

    def _pairs(self) -> Iterator[tuple[str, str]]:
        yield "cwd", self.directory
        yield "user", self.user
        if self.stdin is not None:
            yield "stdin", "1"
        if self.terminal is not None:
            yield from (("tty", "1"), ("rows", str(self.terminal[0])), ("cols", str(self.terminal[1])))
        yield from (("arg", argument) for argument in self.arguments)
        yield from (("env", f"{name}={value}") for name, value in self.environment.items())


class Task(Execution):
    """One stream of frames. `send` takes the type and payload of a frame of this stream; see `Control.send`."""

    def __init__(
        self,
        command: Command,
        send: Callable[[Kind, bytes], bool],
        *,
        output: Callable[[str, bytes, int], None],
        started: Callable[[int], None] = lambda _: None,
        ended: Callable[[Exit, int], None] = lambda *_: None,
    ) -> None:
        """The callbacks get the moment, in nanoseconds of the monotonic clock, at which the host heard of it."""
        self._command, self._send = command, send
        self._output, self._started, self._ended = output, started, ended
        self._settled = threading.Event()  #: it executes, or never will
        self._over = threading.Event()
        self._failure: IsoscopeError | None = None
        self._feeder: Feeder | None = None
        self.exit: Exit | None = None

    def run(self) -> None:
        """Ask the guest to run the command. Raises InstanceFailed when the guest has gone."""
        if not self._send(Kind.RUN, self._command.encode()):
            raise InstanceFailed("the guest does not take commands any more", hint="its console may say why")

    def wait_started(self, timeout: float) -> bool:
        """Wait until it executes; False after `timeout` seconds. Raises why it never will."""
        if not self._settled.wait(timeout):
            return False
        if self._failure is not None:
            raise self._failure
        return True

    # Execution

    def wait(self, timeout: float | None = None) -> Exit:
        if not self._over.wait(timeout):
            raise Timeout(f"the command did not end within {timeout:g} s")
        if self._failure is not None:
            raise self._failure
        assert self.exit is not None
        return self.exit

    def kill(self, signal_number: int) -> None:
        if not self._over.is_set():
            self._send(Kind.SIGNAL, NUMBER.pack(signal_number))

    def resize(self, rows: int, columns: int) -> None:
        if self._command.terminal is not None and not self._over.is_set():
            self._send(Kind.WINSIZE, SIZE.pack(rows, columns))

    # What the guest says, on the pump's thread

    def take(self, kind: int, payload: bytes, at_ns: int) -> None:
        """A frame of this stream."""
        match kind:
            case Kind.STDOUT | Kind.STDERR:
                self._output("stdout" if kind == Kind.STDOUT else "stderr", payload, at_ns)
            case Kind.STARTED:
                self._started(at_ns)
                self._settled.set()
                if self._command.stdin is not None:
                    self._feeder = Feeder(self._command.stdin, lambda data: self._send(Kind.STDIN, data))
            case Kind.CREDIT if self._feeder is not None:
                self._feeder.grant(*NUMBER.unpack(payload))
            case Kind.FAILED:
                (number,) = NUMBER.unpack(payload[: NUMBER.size])
                self._finish(self._why_not(number, payload[NUMBER.size :].decode()))
            case Kind.EXIT:
                code, number, killed = END.unpack(payload)
                how = Exit(code=None if number else code, signal=number or None, oom_killed=bool(killed))
                self.exit = how
                self._finish(None)
                self._ended(how, at_ns)

    def lose(self, failure: IsoscopeError) -> None:
        """The guest has gone."""
        if not self._over.is_set():
            self._finish(failure)

    def _finish(self, failure: IsoscopeError | None) -> None:
        self._failure = failure
        if self._feeder is not None:
            self._feeder.stop()
        self._settled.set()
        self._over.set()

    def _why_not(self, number: int, what: str) -> IsoscopeError:
        reason = os.strerror(number)
        name = self._command.arguments[0]
        match what:
            case "exec" if number == errno.ENOENT:
                return CommandNotFound(name)
            case "exec":
                return CommandNotExecutable(name, reason)
            case "cwd":
                return WorkloadFailed(
                    f"the working directory {self._command.directory!r} cannot be entered: {reason}",
                    hint="it must be a directory of the image, or one that can be made there",
                    command_status=126,
                )
            case "user":
                return WorkloadFailed(
                    f"user {self._command.user!r} does not exist in the image",
                    hint="see its /etc/passwd and /etc/group; a number needs no entry there",
                    command_status=126,
                )
            case "tasks":
                return InstanceFailed(
                    "as many commands run in this guest as it can keep apart", hint="wait for one to end"
                )
        return InstanceFailed(f"the guest cannot run a command: {what}: {reason}", hint="it may be short of memory")
