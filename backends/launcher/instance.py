"""What instances that are processes of this host have in common: the start by plan, streams, exec, signals, cgroup."""

from __future__ import annotations

import contextlib
import os
import signal
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from isoscope.backends.launcher.cgroups import Cgroup
from isoscope.backends.launcher.client import Launcher, Phases, Request, Started
from isoscope.backends.launcher.plan import Command, Plan
from isoscope.backends.launcher.process import Clone
from isoscope.backends.launcher.step import Scene
from isoscope.backends.launcher.streams import Direct, Streams, relay
from isoscope.backends.launcher.task import LaunchedExecution, OnOutput, Task
from isoscope.backends.launcher.terminal import TerminalInput
from isoscope.core.errors import HostError, Unsupported
from isoscope.core.instance import Execution, Exit, Instance, Stats
from isoscope.core.launch import Launch
from isoscope.core.output import Stdio


class LaunchedInstance(Instance):
    """An instance whose first process the launcher starts."""

    def __init__(self, launch: Launch, launcher: Launcher, cgroup: Cgroup, plan: Plan) -> None:
        super().__init__(launch)
        self._launcher, self._cgroup, self._plan = launcher, cgroup, plan
        self._request = Request(plan.clone, plan.theirs, self.workload.command)
        launcher.prepare(self._request)
        self._task: Task | None = None
        self._proof: Mapping[str, str] = {}
        self._fds: dict[str, int] = {}  #: what our own phases made for the process, by name; closed once it has them

    # Starting

    def _start(self) -> None:
        try:
            self._carry_out_our_phases()
            with self._cgroup_descriptor() as cgroup:
                self._run({**self._fds, **cgroup})
        finally:
            for fd in self._fds.values():
                os.close(fd)
            self._fds.clear()

    def _carry_out_our_phases(self) -> None:
        scene = Scene(self._fds)
        for phase, steps in self._plan.ours:
            for step in steps:
                try:
                    step.execute(scene)
                except OSError as error:
                    raise HostError(
                        f"phase {phase}, step {step.describe()!r}: {error.strerror}",
                        hint="isoscope doctor says what this host allows",
                    ) from error
            self.timeline.mark(phase)

    @contextlib.contextmanager
    def _cgroup_descriptor(self) -> Iterator[dict[str, int]]:
        if self._cgroup.unified is None:
            yield {}
            return
        fd = os.open(self._cgroup.unified, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield {"cgroup": fd}
        finally:
            os.close(fd)

    def _run(self, fds: dict[str, int]) -> None:
        stdio = self.launch.stdio
        with Streams(stdio, self.workload.terminal) as streams:
            started = self._launcher.launch(self._request, {**fds, **streams.theirs}, on_cloned=self._on_cloned())
            # Before anything else: from now on there is something to be ended.
            self._task = self._follow(started, streams.keep(), self.saw_output, self._ended, stdio)
        for moment, at_ns in started.moments.items():
            self.timeline.mark(moment, at_ns)
        self.timeline.mark("exec", started.executed_ns)
        self._proof = started.proof
        # Only now, after the mark of `exec`: the phase `ready` must not end before it begins.
        self._task.follow()

    def _follow(
        self,
        started: Started,
        streams: dict[str, int],
        on_output: OnOutput,
        on_exit: Callable[[Exit, int], None],
        stdio: Stdio,
    ) -> Task:
        keyboard = None
        if started.terminal is not None:
            streams = {"stdout": started.terminal}
            if stdio.stdin is not None:
                keyboard = TerminalInput(stdio.stdin, started.terminal)
        return Task(self.launch.pump, started.pidfd, streams, on_output=on_output, on_exit=on_exit, keyboard=keyboard)

    def _on_cloned(self) -> Callable[[int], None] | None:
        """What to do between the clone and the first step, given the pid; None for nothing."""
        return None

    def _ended(self, how: Exit, at_ns: int) -> None:
        self.saw_exit(self._with_cause(how), at_ns)

    def _with_cause(self, how: Exit) -> Exit:
        """An end with what only the cgroup knows of it."""
        if how.exit_status == 128 + signal.SIGKILL and self._cgroup.oom_killed():
            return Exit(code=how.code, signal=how.signal, oom_killed=True)
        return how

    # A second command

    def _exec(self, command: tuple[str, ...], stdio: Stdio, terminal: bool) -> Execution:
        execution = LaunchedExecution()
        with self._cgroup_descriptor() as cgroup, Direct(stdio, terminal) as streams:
            started = self._launch_exec(Command(command, stdio, terminal), {**cgroup, **streams.theirs})
        execution.task = self._follow(
            started,
            {},
            partial(relay, stdio.stdout),
            lambda how, at_ns: execution.ended(self._with_cause(how), at_ns),
            stdio,
        )
        execution.task.follow()
        return execution

    def _launch_exec(self, command: Command, fds: Mapping[str, int]) -> Started:
        return self._launcher.launch(Request(*self._exec_plan(command), command.words), fds)

    @abstractmethod
    def _exec_plan(self, command: Command) -> tuple[Clone, Phases]:
        """The clone and the phases of a second command."""

    # The other verbs

    def _kill(self, signal_number: int) -> None:
        if self._task is not None:
            self._task.kill(signal_number)

    def resize(self, rows: int, columns: int) -> None:
        if self._task is not None:
            self._task.resize(rows, columns)

    def _pause(self) -> None:
        if not self._cgroup.can_freeze:
            raise HostError(
                "pausing needs a cgroup, and none is delegated here",
                hint="run as root, or as a user with a delegated cgroup (systemd.resource-control(5), Delegate=)",
            )
        self._cgroup.freeze()

    def _resume(self) -> None:
        self._cgroup.thaw()

    def _stats(self) -> Stats:
        return self._cgroup.stats()

    def _used(self) -> Stats:
        return replace(self._cgroup.stats(), memory=None, pids=None)

    def _host_pids(self) -> tuple[int, ...]:
        if not self._cgroup.directories:
            raise Unsupported("without a cgroup nobody can tell which processes are the instance's", hint="run as root")
        return self._cgroup.processes()

    def proof(self) -> dict[str, str]:
        return dict(self._proof)

    def _end_first_process(self) -> None:
        """Kill the first process, frozen or not, and wait until it has been reaped."""
        self._launcher.forget(self._request)
        if self._task is None:
            return
        if self.exit is None:
            self._task.kill(signal.SIGKILL)
            with contextlib.suppress(OSError):
                self._cgroup.thaw()  # version 1 lets nothing die that is frozen
            self._exited.wait()
        self._task.close()
