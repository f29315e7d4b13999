"""A second command in a container, by the runtime's own `exec`."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from isoscope.backends.launcher.streams import Direct, relay
from isoscope.backends.launcher.task import LaunchedExecution, Task
from isoscope.backends.launcher.terminal import TerminalInput, window_size
from isoscope.backends.oci.bundle import Bundle
from isoscope.backends.oci.console import ConsoleSocket
from isoscope.backends.oci.runtime import ABOUT_COMMAND, Runtime, message
from isoscope.backends.peer import subreaper
from isoscope.backends.peer.faults import explain
from isoscope.backends.peer.instance import as_shell, set_size
from isoscope.backends.peer.spawn import Spawner, Start
from isoscope.core.errors import InstanceFailed, IsoscopeError, Timeout
from isoscope.core.instance import Exit
from isoscope.core.output import Stdio
from isoscope.core.patience import patience
from isoscope.core.pump import Pump

_DEADLINE = 60.0  # seconds within which the command must be executed


class OciExecution(LaunchedExecution):
    """A command that is our child, or with a kernel of its own one that a process of the runtime stands for."""

    def __init__(self, kill_inside: Callable[[int], None] | None) -> None:
        super().__init__()
        self._kill_inside = kill_inside

    def kill(self, signal_number: int) -> None:
        if self._kill_inside is None:
            super().kill(signal_number)
        elif not self._ended.is_set():
            self._kill_inside(signal_number)


class Executor:
    """Runs second commands in one container."""

    def __init__(self, runtime: Runtime, bundle: Bundle, mark: str, spawner: Spawner, pump: Pump) -> None:
        self._runtime, self._bundle, self._mark = runtime, bundle, mark
        self._spawner, self._pump = spawner, pump

    def execute(
        self, process: Mapping[str, Any], stdio: Stdio, with_cause: Callable[[Exit], Exit], *, terminal: bool
    ) -> OciExecution:
        """Run one; returns when the runtime says that it runs. Raises what `explain` makes of what it says else."""
        files = _Files(self._bundle.directory / f"exec-{secrets.token_hex(4)}")
        files.process.write_text(json.dumps(process))
        console = ConsoleSocket(files.console) if terminal else None
        streams: dict[str, int] = {}
        try:
            streams["stderr"] = self._run(files, process["args"][0], stdio, console)
            keyboard = None
            if console is not None:
                streams["stdout"] = shown = console.receive()
                set_size(shown, *window_size(stdio))
                keyboard = None if stdio.stdin is None else TerminalInput(stdio.stdin, shown)
            execution = OciExecution(self._inside(files) if self._runtime.own_kernel else None)
            pidfd = os.pidfd_open(int(files.pid.read_text()))
        except BaseException:
            for fd in streams.values():
                os.close(fd)
            raise
        finally:
            if console is not None:
                console.close()
            files.remove()
        execution.task = Task(
            self._pump,
            pidfd,
            streams,
            on_output=_Onward(stdio),
            on_exit=lambda how, at_ns: execution.ended(with_cause(self._told(how)), at_ns),
            keyboard=keyboard,
        )
        execution.task.follow()
        return execution

    def _run(self, files: _Files, command: str, stdio: Stdio, console: ConsoleSocket | None) -> int:
        """Have the runtime start it, and wait until it has. Returns a pipe of its errors.

        They are not the caller's own descriptor, because the runtime's words come the same way.
        """
        arguments = ["--process", str(files.process), "--pid-file", str(files.pid), "--detach"]
        if console is not None:
            arguments += ["--console-socket", str(console.path)]
        if self._runtime.own_kernel:
            arguments += ["--internal-pid-file", str(files.inside)]
        line = Start(self._runtime.line(self._bundle.state, "exec", *arguments, self._mark))
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        subreaper.begin()
        try:
            with Direct(Stdio() if console is not None else stdio, terminal=False) as streams:
                try:
                    pidfd = self._spawner.spawn(line, {**streams.theirs, "stderr": theirs})
                finally:
                    os.close(theirs)
            how = _end_of(pidfd, self._runtime.name)
            if how.code != 0:
                raise self._failure(how, ours, command)
        except BaseException:
            os.close(ours)
            raise
        finally:
            subreaper.end()
        return ours

    def _failure(self, how: Exit, errors: int, command: str) -> IsoscopeError:
        os.set_blocking(errors, False)
        said = b""
        with contextlib.suppress(BlockingIOError):
            said = os.read(errors, 1 << 16)
        return explain(
            self._runtime.name,
            message(said.decode("utf-8", "replace")),
            command,
            about_command=ABOUT_COMMAND,
            status=f"it ended with status {how.exit_status}",
        )

    def _inside(self, files: _Files) -> Callable[[int], None]:
        return partial(self._kill_inside, int(files.inside.read_text()))

    def _kill_inside(self, pid: int, signal_number: int) -> None:
        with contextlib.suppress(InstanceFailed):  # it has ended meanwhile
            self._runtime.call(self._bundle.state, "kill", "-pid", str(pid), self._mark, str(signal_number))

    def _told(self, how: Exit) -> Exit:
        return as_shell(how.code) if self._runtime.own_kernel and how.code is not None else how


class _Files:
    """What one call of `exec` reads and writes."""

    def __init__(self, stem: Path) -> None:
        self.process, self.pid, self.inside, self.console = (
            stem.with_suffix(suffix) for suffix in (".json", ".pid", ".inside", ".console")
        )

    def remove(self) -> None:
        for path in (self.process, self.pid, self.inside):
            path.unlink(missing_ok=True)


class _Onward:
    """Passes output on to the caller."""

    def __init__(self, stdio: Stdio) -> None:
        self._fds = {"stdout": stdio.stdout, "stderr": stdio.stderr}

    def __call__(self, stream: str, data: bytes, at_ns: int) -> None:
        relay(self._fds[stream], stream, data, at_ns)


def _end_of(pidfd: int, name: str) -> Exit:
    """Wait for the end of a runtime's process, our child. Raises Timeout."""
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        in_time = poll.poll(int(patience(_DEADLINE) * 1000))
        if not in_time:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    finally:
        os.close(pidfd)
    if not in_time or ended is None:
        raise Timeout(f"{name} exec did not end within {patience(_DEADLINE):g} s", hint="see whether it works alone")
    exited = ended.si_code == os.CLD_EXITED
    return Exit(code=ended.si_status) if exited else Exit(signal=ended.si_status)
