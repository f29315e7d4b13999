"""A container that an OCI runtime has made."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

from isoscope.backends.launcher.evidence import evidence, parent
from isoscope.backends.launcher.streams import Streams
from isoscope.backends.launcher.task import Task
from isoscope.backends.launcher.terminal import TerminalInput, window_size
from isoscope.backends.oci import bundle, gvisor
from isoscope.backends.oci.bundle import Bundle
from isoscope.backends.oci.console import ConsoleSocket
from isoscope.backends.oci.execution import Executor
from isoscope.backends.oci.runtime import ABOUT_COMMAND, Runtime, message
from isoscope.backends.peer import subreaper
from isoscope.backends.peer.bridge import JoiningInstance
from isoscope.backends.peer.faults import explain
from isoscope.backends.peer.instance import Means, set_size
from isoscope.backends.peer.netns import NetworkNamespace
from isoscope.backends.peer.spawn import Start
from isoscope.core.errors import InstanceFailed, IsoscopeError
from isoscope.core.instance import Execution, Exit
from isoscope.core.launch import Launch
from isoscope.core.output import Stdio
from isoscope.core.patience import patience


class OciInstance(JoiningInstance):
    """Started by `run --detach`: one process, which is gone when the workload runs.

    The workload's first process is then an orphan, and becomes our child, so that we see its end as it was.
    """

    def __init__(
        self, launch: Launch, means: Means, runtime: Runtime, place: Bundle, network: NetworkNamespace | None
    ) -> None:
        super().__init__(launch, means, network)
        self._runtime, self._bundle = runtime, place
        self._first: Task | None = None  #: the workload's first process, once it is our child
        self._console = ConsoleSocket(place.directory / "console") if self.workload.terminal else None
        self._keyboard: TerminalInput | None = None
        self._returned = threading.Event()  #: the runtime's process has ended
        console = ("--console-socket", str(self._console.path)) if self._console else ()
        self._line = Start(
            runtime.line(
                place.state,
                "run",
                *("--bundle", str(place.directory), "--pid-file", str(place.pid_file), "--detach"),
                *console,
                self.record.mark,
            )
        )

    # Starting

    def _peer(self) -> Start:
        return self._line

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        """No file of the host is opened to be executed in a kernel of its own: the runtime's word has to do."""
        with contextlib.nullcontext() if self._runtime.own_kernel else super()._watching():
            yield

    def _spawn(self) -> None:
        subreaper.begin()
        try:
            super()._spawn()
        except BaseException:
            subreaper.end()
            raise

    def _spawn_on_terminal(self) -> None:
        """The runtime itself has pipes; the terminal comes by the console socket."""
        assert self._console is not None
        self.launch.pump.add(self._console.fd, self._on_console)
        with Streams(Stdio(), terminal=False) as streams:
            pidfd = self._means.spawner.spawn(self._peer(), streams.theirs)
            ours = streams.keep()
            os.close(ours.pop("stdout"))
            self._follow(pidfd, ours, None)

    def _on_console(self) -> None:
        assert self._console is not None
        assert self._task is not None
        self.launch.pump.remove(self._console.fd)
        terminal = self._console.receive()
        self._console.close()
        set_size(terminal, *window_size(self.launch.stdio))
        if self.launch.stdio.stdin is not None:
            self._keyboard = TerminalInput(self.launch.stdio.stdin, terminal)
        self._task.listen("stdout", terminal)

    def _on_end(self, how: Exit, at_ns: int) -> None:
        """The runtime's process has ended."""
        self._returned.set()
        self._see_execution()
        executed = self._executed_ns is not None
        if how.code != 0 and not executed:
            self._fail(self._explain(self._said(), how))
        elif self._command < 0 and not self._open_command():
            said = message(self._said()) or "it ended well, but named no process"
            self._fail(InstanceFailed(f"{self._runtime.name} made no container: {said}", hint="is it an OCI runtime?"))
        else:
            if self._runtime.own_kernel and not executed:
                self._begin_unseen(at_ns)
            self._adopt()
            return
        subreaper.end()

    def _adopt(self) -> None:
        """Follow the workload's first process once it is our child.

        crun leaves a process of its own between for a moment after it has returned: that one becomes our child first.
        """
        with contextlib.suppress(OSError):  # what stood between has gone meanwhile
            between = None if self._runtime.own_kernel else parent(self._command_pid)
            if between not in {None, 1, os.getpid()}:
                self._reap(between, then=self._adopt)
                return
        subreaper.end()
        self._first = Task(
            self.launch.pump,
            os.dup(self._command),
            {},
            on_output=self._on_output,
            on_exit=self._on_first_end,
            keyboard=self._keyboard,
        )
        self._first.follow()

    def _reap_beside(self) -> None:
        """See the end of what a sandbox has beside it, which the runtime waits for; off the clock of a start."""
        for pid in gvisor.beside(self._bundle.state) if self._runtime.own_kernel else ():
            with contextlib.suppress(OSError):
                self._reap(pid)

    def _reap(self, pid: int, then: Callable[[], None] = lambda: None) -> None:
        """See a child of ours to its end that is not the workload's. Raises OSError."""
        pidfd = os.pidfd_open(pid)

        def gone() -> None:
            self.launch.pump.remove(pidfd)
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
            os.close(pidfd)
            then()

        self.launch.pump.add(pidfd, gone)

    def _begin_unseen(self, at_ns: int) -> None:
        """The runtime's word is that the command is executed."""
        self._proof = {**evidence(self._command_pid), **self._runtime.evidence()}
        if self._early:  # the workload's, before the runtime was done
            at_ns = min(seen_ns for _, _, seen_ns in self._early)
        else:
            self.timeline.mark("runtime", at_ns)
        self._begun(at_ns)

    def _fail(self, failure: IsoscopeError) -> None:
        self._failure = failure
        self._over.set()
        self._settled.set()

    def _open_command(self) -> bool:
        """Take the process that the runtime names."""
        with contextlib.suppress(OSError, ValueError):
            self._command_pid = self._bundle.pid()
            self._command = os.pidfd_open(self._command_pid)
        return self._command >= 0

    def _on_first_end(self, how: Exit, at_ns: int) -> None:
        """The workload's first process has ended."""
        assert self._task is not None
        self._task.drain()
        self._see_execution()
        if self._executed_ns is None:
            self._fail(self._explain(self._said(), how))
            return
        self.saw_exit(self._with_cause(self._told(how)), at_ns)
        self._reap_beside()
        self._over.set()

    def _told(self, how: Exit) -> Exit:
        return super()._told(how) if self._runtime.own_kernel else how

    def _explain(self, said: str, how: Exit) -> IsoscopeError:
        return explain(
            self._runtime.name,
            message(said),
            self.workload.command[0],
            about_command=ABOUT_COMMAND,
            status=f"it ended with status {how.exit_status}",
        )

    # The other verbs

    def _call(self, *arguments: str) -> None:
        """Have the runtime do something; it does not know of the container before it has made it."""
        self._returned.wait(patience(self.deadline))
        self._runtime.call(self._bundle.state, *arguments)

    def _kill(self, signal_number: int) -> None:
        if self._runtime.own_kernel:
            self._call("kill", self.record.mark, str(signal_number))
        else:
            super()._kill(signal_number)

    def _pause(self) -> None:
        self._call("pause", self.record.mark)

    def _resume(self) -> None:
        self._call("resume", self.record.mark)

    def resize(self, rows: int, columns: int) -> None:
        if self._first is not None:
            self._first.resize(rows, columns)

    def _exec(self, command: tuple[str, ...], stdio: Stdio, terminal: bool) -> Execution:
        self._returned.wait(patience(self.deadline))
        executor = Executor(self._runtime, self._bundle, self.record.mark, self._means.spawner, self.launch.pump)
        process = bundle.process(self.launch, command, terminal=terminal)
        return executor.execute(process, stdio, self._with_cause, terminal=terminal)

    def proof(self) -> dict[str, str]:
        return {**shown, "runtime": self._runtime.program.version} if (shown := super().proof()) else {}

    # Ending

    def _end_peer(self) -> None:
        assert self._task is not None
        if self._executed_ns is None:
            self._task.kill(signal.SIGKILL)
        with contextlib.suppress(IsoscopeError):
            self._call("delete", "--force", self.record.mark)
        self._cgroup.kill()

    def _delete(self) -> None:
        if self._console is not None:
            self.launch.pump.remove(self._console.fd)
            self._console.close()
        super()._delete()
        if self._first is not None:
            self._first.close()
