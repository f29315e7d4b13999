"""What the new process does between clone and exec: the steps, and a report of how they went."""

from __future__ import annotations

import _socket
import errno
import os
from time import monotonic_ns

from isoscope.backends.launcher import wire
from isoscope.backends.launcher.step import Scene, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

#: Phases in order, each with its steps; the last step of the last phase executes the command.
Phases = list[tuple[str, list[Step]]]


def run(scene: Scene, phases: Phases) -> NoReturn:
    """Carry out the steps, send the report, execute the command; end the process if any of it fails."""
    at: list[Any] = ["", None]
    try:
        # Told what it is, the module need not ask the kernel.
        status = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, scene.fds["status"])
        scene.send_fd = lambda name, fd: wire.send(status, {"fd": name}, (fd,))
        scene.settled = lambda: wire.send(status, {"settled": True})
        scene.await_word = lambda: _await_word(status)
        try:
            _run(scene, phases, status, at)
        except OSError as error:
            phase, step = at
            failure = {"phase": phase, "step": type(step).__name__, "text": step.describe(), "errno": error.errno}
            wire.send(status, {"failed": {**failure, "reason": error.strerror or str(error)}})
        except BaseException as error:  # a defect of ours: it must reach the one who asked, and never run on
            wire.send(status, {"defect": f"{type(error).__name__}: {error} in {at[1]!r}"})
    finally:
        os._exit(127)


def _await_word(status: _socket.socket) -> None:
    if wire.receive(status) is None:
        raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))


def _run(scene: Scene, phases: Phases, status: _socket.socket, at: list[Any]) -> None:
    moments: dict[str, int] = {}
    *_, (_, (*_, execute)) = phases
    for phase, steps in phases:
        for step in steps:
            at[:] = phase, step
            if step is execute:
                # If nobody listens any more this raises, and the command is not run: whoever cleans up after a
                # killed owner meets a process that is in its cgroup, or none.
                wire.send(status, {"moments": moments})
            step.execute(scene)
        moments[phase] = monotonic_ns()
