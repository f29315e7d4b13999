"""One running copy of a workload on a backend: its states, its moments, and the verbs of runc(8).

A backend subclasses `Instance` and fills in the underscored methods; the state machine, the log, readiness and the
timeline are the same for all of them and live here.
"""

from __future__ import annotations

import signal
import threading
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from time import monotonic_ns
from types import TracebackType
from typing import Any, ClassVar, Self

from isoscope.core.errors import InstanceFailed, StateError, Timeout, Unsupported
from isoscope.core.launch import Launch
from isoscope.core.output import OutputLog, Stdio
from isoscope.core.timeline import Timeline


class Status(StrEnum):
    """The states of the OCI runtime specification (runtime.md#state), and `paused`, as runc has it."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DELETED = "deleted"


@dataclass(frozen=True)
class Exit:
    """How a command ended. Exactly one of `code` and `signal` is set."""

    code: int | None = None
    signal: int | None = None
    oom_killed: bool = False  #: the kernel ended it for want of memory

    @property
    def exit_status(self) -> int:
        """The status that a shell would report: the code, or 128 + the signal's number."""
        return self.code if self.code is not None else 128 + (self.signal or 0)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, with the exit status spelled out."""
        return {**asdict(self), "exit_status": self.exit_status}


@dataclass(frozen=True)
class Stats:
    """What an instance has used so far. None where the backend or the host cannot tell."""

    cpu_ns: int | None = None  #: CPU time of everything in the instance, its VMM included
    memory: int | None = None  #: bytes charged to it now
    memory_peak: int | None = None  #: bytes, highest so far
    pids: int | None = None  #: tasks now


@dataclass(frozen=True)
class Connection:
    """How an instance on a network of its own is reached from this host."""

    address: str  #: its IPv4 address, dotted
    device: str  #: the host's device that its packets to the host pass
    mac: str = ""  #: the hardware address that its own device was given; empty where the backend does not say


class Execution(ABC):
    """A second command running inside an instance."""

    @abstractmethod
    def wait(self, timeout: float | None = None) -> Exit:
        """How the command ended. Raises Timeout after `timeout` seconds."""

    @abstractmethod
    def kill(self, signal_number: int) -> None:
        """Send a signal to the command. One that has ended is left alone."""

    def resize(self, rows: int, columns: int) -> None:
        """Tell the command's terminal, where it has one, how large the caller's is."""


class Instance(ABC):
    """One running copy of a workload. Not thread-safe, but for `wait`, `kill` and `exec` beside a waiting `wait`.

    As a context manager it deletes itself at the end, whatever state it is in.
    """

    #: Names of the phases that partition `startup.ready`, in order; the last is `ready`.
    phases: ClassVar[tuple[str, ...]] = ("exec", "ready")

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.record = launch.record
        self.workload = launch.workload
        self.timeline = Timeline(self.phases)
        self.status = Status.CREATED
        self.exit: Exit | None = None
        self.log = OutputLog(self.record.log, launch.stdio)
        self._ready = threading.Event()
        self._exited = threading.Event()
        self._lock = threading.Lock()

    # The verbs

    def start(self) -> None:
        """Run the workload's command; returns once it executes.

        Raises CommandNotFound or CommandNotExecutable when it cannot be executed, InstanceFailed when the instance
        cannot be built, Timeout when it does not come up. The instance then is stopped and can only be deleted.
        """
        self._require("start", Status.CREATED)
        self.timeline.mark("start")
        self.status = Status.RUNNING
        try:
            self._start()
        except BaseException:
            self.status = Status.STOPPED
            self._ready.set()
            self._exited.set()
            raise

    def wait_ready(self, timeout: float | None = None) -> None:
        """Wait for the workload's first byte of output, or for its end. Raises Timeout after `timeout` seconds."""
        self._require("wait for", Status.RUNNING, Status.PAUSED, Status.STOPPED)
        if not self._ready.wait(timeout):
            phase = f": it is in phase {phase}" if (phase := self.timeline.pending()) else ""
            raise Timeout(f"{self.record.name!r} was not ready within {timeout:g} s{phase}", hint=self._trouble())

    def wait(self, timeout: float | None = None) -> Exit:
        """Wait for the workload's end. Raises Timeout after `timeout` seconds."""
        self._require("wait for", Status.RUNNING, Status.PAUSED, Status.STOPPED)
        if not self._exited.wait(timeout):
            raise Timeout(f"{self.record.name!r} did not end within {timeout:g} s", hint=self._trouble())
        if self.exit is None:
            raise InstanceFailed(f"{self.record.name!r} never ran", hint="see the error that start() raised")
        return self.exit

    def exec(self, command: tuple[str, ...], stdio: Stdio | None = None, *, terminal: bool = False) -> Execution:
        """Run a second command inside. Raises Unsupported, CommandNotFound or CommandNotExecutable."""
        self._require("exec in", Status.RUNNING)
        return self._exec(tuple(command), stdio or Stdio(), terminal)

    def pause(self) -> None:
        """Stop every task of the instance until `resume`. Raises Unsupported."""
        self._require("pause", Status.RUNNING)
        self._pause()
        self._move(Status.RUNNING, Status.PAUSED)

    def resume(self) -> None:
        """Let the tasks of a paused instance go on."""
        self._require("resume", Status.PAUSED)
        self._resume()
        self._move(Status.PAUSED, Status.RUNNING)

    def kill(self, signal_number: int = signal.SIGTERM) -> None:
        """Send a signal to the workload."""
        self._require("kill", Status.RUNNING, Status.PAUSED)
        self._kill(signal_number)

    def resize(self, rows: int, columns: int) -> None:
        """Tell the workload's terminal, where it has one, how large the caller's is (TIOCSWINSZ, ioctl_tty(2))."""

    def stop(self, timeout: float = 10) -> Exit:
        """SIGTERM, then SIGKILL after `timeout` seconds. Returns how the workload ended."""
        if self.status is Status.PAUSED:
            self.resume()  # a frozen task takes no SIGTERM
        if self.status is Status.RUNNING:
            self.kill(signal.SIGTERM)
            if not self._exited.wait(timeout):
                self.kill(signal.SIGKILL)
        return self.wait()

    def delete(self, *, keep_record: bool = False) -> None:
        """Release everything that was made for the instance, ending it first when it runs. Idempotent.

        `keep_record` leaves its record and log on disk, for `isoscope logs` and `inspect`.
        """
        if self.status is Status.DELETED:
            return
        self._delete()
        self.status = Status.DELETED
        self.log.close()
        if not keep_record:
            self.record.forget()
        self.timeline.mark("deleted")

    def stats(self) -> Stats:
        """What the instance has used so far. Raises Unsupported."""
        self._require("read the statistics of", Status.RUNNING, Status.PAUSED)
        return self._stats()

    def used(self) -> Stats:
        """What an ended workload has used in all; None for what nobody knows any more, and for what was only then."""
        self._require("add up what was used by", Status.STOPPED)
        return self._used()

    def processes(self) -> tuple[int, ...]:
        """The host's processes that the backend runs for this instance alone, by pid; none when it does not run.

        Those of its workload where they are the host's, or a VMM with its helpers. What serves several instances is not
        among them. A process may have ended, and its number be another's, by the time it is looked at. Raises
        Unsupported when the backend cannot tell.
        """
        return self._host_pids() if self.status in (Status.RUNNING, Status.PAUSED) else ()

    def backing(self, path: str) -> Path | None:
        """The file of the host that holds a file of the instance, or the disk that it is on.

        None where the backend keeps no such file, or cannot name it.
        """
        return None

    def connection(self) -> Connection | None:
        """How it is reached from this host and by other instances; None when it has no network, or the host's."""
        return None

    def proof(self) -> dict[str, str]:
        """What the instance showed itself to be, gathered from inside or from the kernel as it started.

        For instance `kernel`, `cgroup`, `namespaces`, `accelerator`; whatever the backend can show.
        """
        return {}

    # What backends report

    def saw_output(self, stream: str, data: bytes, at_ns: int | None = None) -> None:
        """For backends: a piece of the workload's output arrived (at `at_ns`, else now)."""
        if not self._ready.is_set():
            self.timeline.mark("ready", at_ns)
            self._ready.set()
        self.log.write(stream, data)

    def saw_exit(self, how: Exit, at_ns: int | None = None) -> None:
        """For backends: the workload ended, and all of its output has been reported."""
        with self._lock:
            if self._exited.is_set():
                return
            at_ns = monotonic_ns() if at_ns is None else at_ns
            self.timeline.mark("exit", at_ns)
            if not self._ready.is_set():
                self.timeline.mark("ready", at_ns)
            self.exit = how
            if self.status is not Status.DELETED:
                self.status = Status.STOPPED
            self._ready.set()
            self._exited.set()

    # What backends fill in

    @abstractmethod
    def _start(self) -> None: ...

    @abstractmethod
    def _kill(self, signal_number: int) -> None: ...

    @abstractmethod
    def _delete(self) -> None:
        """Release everything, in any state, also after a failed or half-done `_start`; never raise for what is gone."""

    def _exec(self, command: tuple[str, ...], stdio: Stdio, terminal: bool) -> Execution:
        raise Unsupported(f"backend {self.launch.variant.backend!r} cannot exec", hint="run a new instance instead")

    def _pause(self) -> None:
        raise Unsupported(f"backend {self.launch.variant.backend!r} cannot pause")

    def _resume(self) -> None:
        raise Unsupported(f"backend {self.launch.variant.backend!r} cannot resume")

    def _stats(self) -> Stats:
        raise Unsupported(f"backend {self.launch.variant.backend!r} has no statistics")

    def _used(self) -> Stats:
        return Stats()

    def _host_pids(self) -> tuple[int, ...]:
        raise Unsupported(f"backend {self.launch.variant.backend!r} does not tell what it runs on this host")

    def _trouble(self) -> str:
        """A hint for a time-out: where to look. Backends with a console give its tail."""
        return f"isoscope logs {self.record.name} shows its output"

    # Ours

    def _require(self, operation: str, *allowed: Status) -> None:
        if self.status not in allowed:
            raise StateError(
                self.record.name,
                operation=operation,
                status=self.status.value,
                allowed=" or ".join(status.value for status in allowed),
            )

    def _move(self, before: Status, after: Status) -> None:
        with self._lock:  # the workload may have ended meanwhile, and `stopped` must stand
            if self.status is before:
                self.status = after

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.delete()
