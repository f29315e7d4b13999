"""A second command where the peer has no word for it: we enter its namespaces as nsenter(1) does, on the same terms."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import partial

from isoscope.backends.container import plan
from isoscope.backends.container.plan import Terms
from isoscope.backends.launcher.cgroups import Cgroup
from isoscope.backends.launcher.client import Launcher, Request
from isoscope.backends.launcher.plan import Command
from isoscope.backends.launcher.streams import Direct, relay
from isoscope.backends.launcher.task import LaunchedExecution, Task
from isoscope.backends.launcher.terminal import TerminalInput
from isoscope.core.instance import Exit
from isoscope.core.launch import Launch


class Entrance:
    """Runs second commands in instances whose namespaces are those of a container of ours. Thread-safe."""

    def __init__(self, seccomp: bytes) -> None:
        self._launcher = Launcher("isoscope.backends.container.steps")
        self._seccomp = seccomp

    def execute(
        self, launch: Launch, cgroup: Cgroup, first: int, command: Command, with_cause: Callable[[Exit], Exit]
    ) -> LaunchedExecution:
        """Run one beside the process of the pidfd `first`. Raises what `Launcher.launch` raises."""
        stdio = command.stdio
        terms = Terms(cgroup, None, self._seccomp, self._launcher.network_namespace)
        with contextlib.ExitStack() as stack:
            fds = {**stack.enter_context(Direct(stdio, command.terminal)).theirs, "target": first}
            if cgroup.unified is not None:
                fds["cgroup"] = os.open(cgroup.unified, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                stack.callback(os.close, fds["cgroup"])
            started = self._launcher.launch(Request(*plan.execution(launch, terms, command), command.words), fds)
        execution = LaunchedExecution()
        terminal = started.terminal
        execution.task = Task(
            launch.pump,
            started.pidfd,
            {} if terminal is None else {"stdout": terminal},
            on_output=partial(relay, stdio.stdout),
            on_exit=lambda how, at_ns: execution.ended(with_cause(how), at_ns),
            keyboard=None if terminal is None or stdio.stdin is None else TerminalInput(stdio.stdin, terminal),
        )
        execution.task.follow()
        return execution

    def close(self) -> None:
        """End the helper, where there is one. What it started runs on. Idempotent."""
        self._launcher.close()
