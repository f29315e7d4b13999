"""What instances have in common whose first process is a peer's command: start, output, end, signals, cgroup."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic_ns
from typing import ClassVar

from isoscope.backends.launcher import merged, volume
from isoscope.backends.launcher.cgroups import Cgroup
from isoscope.backends.launcher.evidence import evidence
from isoscope.backends.launcher.streams import Streams
from isoscope.backends.launcher.task import Task
from isoscope.backends.launcher.terminal import TerminalInput, window_size
from isoscope.backends.peer.spawn import Spawner, Start
from isoscope.backends.peer.watch import Watch, Watches
from isoscope.core.errors import HostError, InstanceFailed, IsoscopeError, Timeout, Unsupported
from isoscope.core.instance import Exit, Instance, Stats
from isoscope.core.launch import Launch
from isoscope.core.patience import patience
from isoscope.core.registry import Record

#: `runtime` lasts until the peer has executed the command.
PHASES = ("runtime", "ready")

_HIGHEST_SIGNAL = 64  # SIGRTMAX of signal(7)


@dataclass(frozen=True)
class Means:
    """What an instance of a peer is made with."""

    tree: Path  #: the image's, mounted
    cgroup: Cgroup  #: around everything that the peer starts
    inside: bool  #: whether the peer itself is started in the cgroup; else it makes it
    spawner: Spawner
    watches: Watches
    release: Callable[[Record], None]  #: releases everything that was made for the instance


def as_shell(code: int) -> Exit:
    """How a command ended, from a peer that says 128 + N of one that signal N ended, as a shell does."""
    number = code - 128
    return Exit(signal=number) if 0 < number <= _HIGHEST_SIGNAL else Exit(code=code)


class PeerInstance(Instance):
    """An instance that a peer's command makes and then stays with, until it ends as the workload has.

    A peer's output goes where the workload's goes. What comes before the command is executed is held back: it is the
    reason when the start fails.
    """

    phases: ClassVar[tuple[str, ...]] = PHASES
    deadline: ClassVar[float] = 60.0  #: seconds within which the peer must have executed the command

    def __init__(self, launch: Launch, means: Means) -> None:
        super().__init__(launch)
        self._means, self._cgroup = means, means.cgroup
        self._task: Task | None = None  #: the peer's process
        self._watch: Watch | None = None  #: until it is known whether the command is executed
        self._command = -1  #: a pidfd of the workload's first process
        self._command_pid = 0
        self._early: list[tuple[str, bytes, int]] = []  #: output from before the command was executed
        self._executed_ns: int | None = None  #: since when the command is executed
        self._failure: IsoscopeError | None = None
        self._settled = threading.Event()  #: the command is executed, or never will be
        self._over = threading.Event()  #: the peer's process has ended
        self._guard = threading.Lock()  #: for `_watch` and `_command`, which other threads may be using
        self._proof: dict[str, str] = {}

    # What a peer fills in

    @abstractmethod
    def _peer(self) -> Start:
        """The command line, made when the clock is already running: it must cost nothing."""

    @abstractmethod
    def _explain(self, said: str, how: Exit) -> IsoscopeError:
        """Why the peer ended without executing the command, from its own words."""

    def _told(self, how: Exit) -> Exit:
        """How the workload ended, from how the peer did."""
        return how if how.code is None else as_shell(how.code)

    # Starting

    def _start(self) -> None:
        with self._watching():
            self._spawn()
            if not self._settled.wait(patience(self.deadline)):
                raise Timeout(
                    f"{self.launch.variant.kind} did not execute the command within {patience(self.deadline):g} s",
                    hint=f"it said: {said}"
                    if (said := self._said())
                    else "it said nothing; see whether it works alone",
                )
        if self._failure is not None:
            raise self._failure

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        """See the command being executed while the block lasts."""
        pump, tree = self.launch.pump, str(self._means.tree)
        self._watch = watch = self._means.watches.begin(tree)
        pump.add(watch.fd, self._see_execution)
        try:
            yield
        finally:
            pump.remove(watch.fd)
            with self._guard:
                self._watch = None
            self._means.watches.end(watch, tree)

    def _spawn(self) -> None:
        """Start the peer, and follow it."""
        if self.workload.terminal:
            self._spawn_on_terminal()
            return
        with Streams(self.launch.stdio, terminal=False) as streams:
            pidfd = self._means.spawner.spawn(self._peer(), streams.theirs, cgroup=self._entered())
            self._follow(pidfd, streams.keep(), None)

    def _spawn_on_terminal(self) -> None:
        stdio = self.launch.stdio
        ours, theirs = os.openpty()
        try:
            rows, columns = window_size(stdio)
            set_size(ours, rows, columns)
            pidfd = self._means.spawner.spawn(self._peer(), {}, terminal=os.ttyname(theirs), cgroup=self._entered())
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        keyboard = None if stdio.stdin is None else TerminalInput(stdio.stdin, ours)
        self._follow(pidfd, {"stdout": ours}, keyboard)

    def _entered(self) -> Cgroup | None:
        return self._cgroup if self._means.inside else None

    def _follow(self, pidfd: int, streams: dict[str, int], keyboard: TerminalInput | None) -> None:
        self._task = Task(
            self.launch.pump, pidfd, streams, on_output=self._on_output, on_exit=self._on_end, keyboard=keyboard
        )
        self._task.follow()

    # On the pump's thread

    def _see_execution(self) -> None:
        with self._guard:
            if self._executed_ns is not None or self._watch is None or (found := self._watch.read()) is None:
                return
            at_ns = monotonic_ns()
            self._command_pid, self._command = found
        self._proof = evidence(self._command_pid)
        self.timeline.mark("runtime", at_ns)
        self._begun(at_ns)

    def _begun(self, at_ns: int) -> None:
        """The command is executed, since `at_ns`."""
        self._executed_ns = at_ns
        for stream, data, seen_ns in self._early:
            self.saw_output(stream, data, max(seen_ns, at_ns))
        self._early.clear()
        self._settled.set()

    def _on_output(self, stream: str, data: bytes, at_ns: int) -> None:
        self._see_execution()  # both may have come at once, and the pump found this one first
        if self._executed_ns is not None:
            self.saw_output(stream, data, max(at_ns, self._executed_ns))
        else:
            self._early.append((stream, data, at_ns))

    def _on_end(self, how: Exit, at_ns: int) -> None:
        """The peer's process has ended."""
        self._see_execution()
        self._over.set()
        if self._executed_ns is not None:
            self.saw_exit(self._with_cause(self._told(how)), at_ns)
            return
        self._failure = self._explain(self._said(), how)
        self._settled.set()

    def _said(self) -> str:
        return b"".join(data for _, data, _ in self._early).decode("utf-8", "replace")

    def _with_cause(self, how: Exit) -> Exit:
        """An end with what only the cgroup knows of it."""
        if how.exit_status == 128 + signal.SIGKILL and self._cgroup.oom_killed():
            return Exit(code=how.code, signal=how.signal, oom_killed=True)
        return how

    @contextlib.contextmanager
    def _first_process(self) -> Iterator[int]:
        """A pidfd of the workload's first process. Raises InstanceFailed when it has ended."""
        with self._guard:
            if self._command < 0:
                raise InstanceFailed("the workload has ended meanwhile", hint="start a new instance")
            fd = os.dup(self._command)
        try:
            yield fd
        finally:
            os.close(fd)

    # The other verbs

    def _kill(self, signal_number: int) -> None:
        with self._guard:
            if self._command >= 0:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._command, signal_number)

    def resize(self, rows: int, columns: int) -> None:
        if self._task is not None:
            self._task.resize(rows, columns)

    def _pause(self) -> None:
        if not self._cgroup.can_freeze:
            raise HostError("pausing needs a cgroup, and none can be made here", hint="run as root of the host")
        self._cgroup.freeze()

    def _resume(self) -> None:
        self._cgroup.thaw()

    def _stats(self) -> Stats:
        return self._cgroup.stats()

    def _host_pids(self) -> tuple[int, ...]:
        if not self._cgroup.directories:
            raise Unsupported("without a cgroup nobody can tell which processes are the instance's", hint="run as root")
        return self._cgroup.processes()

    def backing(self, path: str) -> Path | None:
        return volume.backing(self.launch, merged.upper(self.record), path)

    def proof(self) -> dict[str, str]:
        return {**self._proof, **volume.proof(self.launch)} if self._proof else {}

    # Ending

    def _delete(self) -> None:
        if self._task is not None:
            if not self._over.is_set():
                self._end_peer()
            self._over.wait()
            self._task.close()
        with self._guard:
            if self._command >= 0:
                os.close(self._command)
                self._command = -1
        self._means.release(self.record)

    def _end_peer(self) -> None:
        """Kill whatever the peer runs, frozen or not, and the peer's process with it."""
        assert self._task is not None
        with contextlib.suppress(OSError):
            self._cgroup.thaw()  # version 1 lets nothing die that is frozen
        self._cgroup.kill()
        self._task.kill(signal.SIGKILL)


def set_size(terminal: int, rows: int, columns: int) -> None:
    """Give a terminal its size; ioctl_tty(2), TIOCSWINSZ."""
    termios.tcsetwinsize(terminal, (rows, columns))
