"""A second command in a container, by the engine's exec."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Mapping
from typing import Any

from isoscope.backends.docker import local
from isoscope.backends.docker.ending import ending, reason
from isoscope.backends.docker.engine import Engine
from isoscope.backends.docker.faults import Refused
from isoscope.backends.docker.feeder import Feeder
from isoscope.backends.docker.stream import Stream
from isoscope.backends.launcher.terminal import window_size
from isoscope.backends.vm.relay import relay
from isoscope.core.errors import CommandNotExecutable, CommandNotFound, InstanceFailed, Timeout, Unsupported
from isoscope.core.instance import Execution, Exit
from isoscope.core.output import Stdio
from isoscope.core.pump import Pump

_QUESTIONS = 10
_LAST_WORDS = 5.0  #: seconds for what the engine says of a command that it could not run


class DockerExecution(Execution):
    """One exec of an engine, which executes."""

    def __init__(self, engine: Engine, container: str, identity: str, pid: int) -> None:
        self._engine, self._container, self._id, self._pid = engine, container, identity, pid
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._exit: Exit | None = None
        self._feeder: Feeder | None = None

    def follow(self, stream: Stream, early: bytes, stdin: int | None) -> None:
        """Listen to its output, and feed it."""
        stream.follow(early)
        if stdin is not None:
            self._feeder = Feeder(stdin, stream)

    def over(self) -> None:
        """For its stream: the engine has closed it, as it does once it knows the status."""
        self._over.set()

    def wait(self, timeout: float | None = None) -> Exit:
        if not self._over.wait(timeout):
            raise Timeout(f"the command did not end within {timeout:g} s", hint="it goes on; wait longer, or kill it")
        with self._lock:
            if self._feeder is not None:
                self._feeder.stop()
                self._feeder = None
            if self._exit is None:
                state = self._engine.wire.call("GET", f"/exec/{self._id}/json")
                if state["Running"]:
                    raise InstanceFailed("the engine let go of a command that still runs", hint="see its log")
                self._exit = ending(state["ExitCode"])
            return self._exit

    def kill(self, signal_number: int) -> None:
        if self._over.is_set():
            return
        try:
            pidfd = os.pidfd_open(self._pid)
        except ProcessLookupError:
            return
        try:
            # The engine's API has no way to do it. After pidfd_open(2), the number cannot become another process's.
            if not local.holds(self._pid, self._container):
                raise Unsupported("only an engine of this very host can have a second command killed")
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal_number)
        finally:
            os.close(pidfd)

    def resize(self, rows: int, columns: int) -> None:
        with contextlib.suppress(Refused):  # it has ended meanwhile
            self._engine.wire.call("POST", f"/exec/{self._id}/resize?h={rows}&w={columns}")


def start_execution(
    engine: Engine, pump: Pump, container: str, body: Mapping[str, Any], stdio: Stdio
) -> DockerExecution:
    """Run a second command; returns once it executes. Raises CommandNotFound, CommandNotExecutable, Refused, Gone."""
    identity = engine.wire.call("POST", f"/containers/{container}/exec", body)["Id"]
    terminal = body["Tty"]
    connected, early = engine.wire.upgrade(f"/exec/{identity}/start", {"Detach": False, "Tty": terminal})
    try:
        state = _await_start(engine, identity, stdio)
        if not state["Running"] and not state["Pid"]:
            connected.settimeout(_LAST_WORDS)
            with contextlib.suppress(OSError):
                while data := connected.recv(1 << 16):
                    early += data
            raise _why_not(body["Cmd"][0], state["ExitCode"], early.decode(errors="replace").strip())
    except BaseException:
        connected.close()
        raise
    execution = DockerExecution(engine, container, identity, state["Pid"])
    stream = Stream(pump, connected, terminal=terminal, on_output=relay(stdio), on_end=execution.over)
    execution.follow(stream, early, stdio.stdin)
    return execution


def _await_start(engine: Engine, identity: str, stdio: Stdio) -> Any:
    """The state of an exec once it executes, or has failed to.

    Nothing in the API waits for that but a resize, which has no answer before, whether there is a terminal or not.
    """
    rows, columns = window_size(stdio)
    state: Any = None
    for _ in range(_QUESTIONS):
        with contextlib.suppress(Refused):
            engine.wire.call("POST", f"/exec/{identity}/resize?h={rows}&w={columns}")
        state = engine.wire.call("GET", f"/exec/{identity}/json")
        if state["Pid"] or not state["Running"]:
            break
    return state


def _why_not(command: str, code: int, said: str) -> CommandNotFound | CommandNotExecutable | InstanceFailed:
    if code == 127 or "executable file not found" in said:  # of that, Docker 20.10 makes 126 as well
        return CommandNotFound(command)
    if code == 126:
        return CommandNotExecutable(command, reason(said))
    return InstanceFailed(f"the engine cannot run a second command: {said}", hint="see its log")
