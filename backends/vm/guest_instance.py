"""A workload in a guest of ours, whoever started the machine: what is heard of it and what it is told."""

from __future__ import annotations

import signal
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from time import monotonic
from typing import Any

from isoscope.backends.launcher.terminal import window_size
from isoscope.backends.vm.console import Console
from isoscope.backends.vm.control import Control
from isoscope.backends.vm.endpoint import Endpoint
from isoscope.backends.vm.files import Files
from isoscope.backends.vm.process import QemuProcess
from isoscope.backends.vm.protocol import Kind
from isoscope.backends.vm.relay import relay
from isoscope.backends.vm.task import Command, Task
from isoscope.core.errors import InstanceFailed, IsoscopeError, Timeout
from isoscope.core.instance import Execution, Exit, Instance, Status
from isoscope.core.launch import Launch
from isoscope.core.output import Stdio
from isoscope.core.patience import patience as stretched

#: Seconds within which a guest that runs starts another command, or reports that one that it killed has ended.
_ANSWER = 30.0

_KILLED = Exit(signal=signal.SIGKILL)  #: how everything in a machine ends that is switched off


class GuestInstance(Instance):
    """A machine that lives for one workload, with our init on the other end of its control channel.

    The phases end: `define` when QEMU runs and connects to us, `vmm` with the first byte on the guest's console,
    `kernel` with the init's first word there, `init` when the guest reports that it is configured and about to run the
    command, `exec` when it reports that execve(2) has succeeded. All are stamped where they arrive, on the host.
    """

    phases = ("define", "vmm", "kernel", "init", "exec", "ready")

    def __init__(self, launch: Launch, files: Files, proof: Mapping[str, str], *, patience: float) -> None:
        """`patience` is how many seconds the guest may take to come up; `proof` what is known of it before."""
        super().__init__(launch)
        self._files = files
        self._proof = dict(proof)
        self._patience = stretched(patience)
        self._console: Console | None = None
        self._serial: Endpoint | None = None
        self._control: Control | None = None
        self._task: Task | None = None
        self._process: QemuProcess | None = None
        self._ending = False  #: we are about to end the machine ourselves
        self._crash: InstanceFailed | None = None

    @abstractmethod
    def _switch_off(self) -> None:
        """End the machine as if its plug was pulled, and return when it has ended."""

    # Starting

    def _listen(self) -> None:
        pump = self.launch.pump
        self._console = Console(self._files.console_log, partial(self._reach, "vmm"), partial(self._reach, "kernel"))
        self._serial = Endpoint(self._files.console, pump, connected=lambda: None, received=self._console.received)
        self._control = Control(
            self._files.control,
            pump,
            connected=partial(self._reach, "define"),
            configured=partial(self._reach, "init"),
            lost=self._lost,
        )

    def _instruct(self, terms: bytes, deadline: float) -> None:
        """Say all that there is to say at once: it waits for the guest, instead of the guest for it."""
        assert self._control is not None
        if not self._control.wait_connected(deadline - monotonic()):
            raise self._late("QEMU did not connect to its control channel")
        if self._crash is not None:
            raise self._crash
        self._control.send(Kind.CONFIGURE, payload=terms)
        self._task = self._control.open(
            lambda send: Task(
                self._command(self.workload.command, self.launch.stdio, self.workload.terminal),
                send,
                output=self.saw_output,
                started=partial(self._reach, "exec"),
                ended=self._ended,
            )
        )
        self._prepare(deadline)
        self._task.run()

    def _prepare(self, deadline: float) -> None:
        """Do in the guest what its workload needs, before that runs; nothing, unless a subclass has something."""

    def _await_start(self, deadline: float) -> None:
        assert self._task is not None
        assert self._control is not None
        if not self._task.wait_started(max(0, deadline - monotonic())):
            missing = next(phase for phase in self.phases if phase not in self.timeline.moments)
            raise self._late(f"the guest did not come up: phase {missing!r} did not end")
        self._proof.update(self._control.hello)

    def _command(self, arguments: tuple[str, ...], stdio: Stdio, terminal: bool) -> Command:
        return Command(
            arguments=arguments,
            environment=self._environment(),
            directory=self.launch.working_directory(),
            user=self.launch.rootfs.user,
            stdin=stdio.stdin,
            terminal=window_size(stdio) if terminal else None,
        )

    def _environment(self) -> dict[str, str]:
        return self.launch.environment()

    # What is heard of the machine, on the pump's thread

    def _reach(self, phase: str, at_ns: int) -> None:
        """A phase ended. Two channels may be read in either order: what is overtaken counts into the phase after it."""
        later = self.phases[self.phases.index(phase) + 1 :]
        if not any(name in self.timeline.moments for name in later):
            self.timeline.mark(phase, at_ns)

    def _ended(self, how: Exit, at_ns: int) -> None:
        assert self._control is not None
        self._ending = True
        self.saw_exit(how, at_ns)
        self._control.power_off()

    def _lost(self, why: str) -> None:
        assert self._control is not None
        assert self._serial is not None
        if self._ending:
            return
        self._serial.drain()
        self._crash = InstanceFailed(
            f"the virtual machine of {self.record.name!r} stopped: {why or self._what_happened()}", hint=self._trouble()
        )
        self._control.lose(self._crash)
        if "exec" in self.timeline.moments:
            self.saw_exit(_KILLED)

    def _what_happened(self) -> str:
        assert self._console is not None
        return "its kernel panicked" if self._console.panicked else "it ended before its workload"

    # The other verbs

    def wait(self, timeout: float | None = None) -> Exit:
        """As the base class has it; raises InstanceFailed when the machine ended under the workload."""
        how = super().wait(timeout)
        if self._crash is not None:
            raise self._crash
        return how

    def _kill(self, signal_number: int) -> None:
        if self._task is None:
            return
        if signal_number != signal.SIGKILL:
            self._task.kill(signal_number)
            return
        # Nothing may withstand SIGKILL, be it frozen or a guest that does not listen any more.
        if self.status is not Status.PAUSED:
            self._task.kill(signal_number)
            if self._exited.wait(stretched(_ANSWER)):
                return
        self._switch_off()
        self.saw_exit(_KILLED)

    def _exec(self, command: tuple[str, ...], stdio: Stdio, terminal: bool) -> Execution:
        assert self._control is not None
        task = self._control.open(lambda send: Task(self._command(command, stdio, terminal), send, output=relay(stdio)))
        task.run()
        if not task.wait_started(stretched(_ANSWER)):
            task.kill(signal.SIGKILL)
            raise self._late(f"the guest did not start {command[0]!r}")
        return task

    def resize(self, rows: int, columns: int) -> None:
        if self._task is not None:
            self._task.resize(rows, columns)

    # The end

    def _parts(self) -> Iterator[Any]:
        yield from (part for part in (self._control, self._serial, self._console, self._process) if part is not None)

    def proof(self) -> dict[str, str]:
        return dict(self._proof)

    def _trouble(self) -> str:
        tail = self._console.tail() if self._console is not None else "(nothing)"
        return f"the guest's console said last:\n{tail}"

    def _late(self, message: str) -> IsoscopeError:
        return Timeout(f"{message} within {self._patience:g} s", hint=self._trouble())
