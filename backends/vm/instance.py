"""One workload in one VM."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from isoscope.backends.launcher.cgroups import Cgroup
from isoscope.backends.launcher.terminal import window_size
from isoscope.backends.network import BridgeNetwork, Lease
from isoscope.backends.vm import counting, overlay, roots
from isoscope.backends.vm.console import Console
from isoscope.backends.vm.control import Control
from isoscope.backends.vm.domain import Machine, domain_xml
from isoscope.backends.vm.endpoint import Endpoint
from isoscope.backends.vm.faults import libvirt_errors
from isoscope.backends.vm.files import Files
from isoscope.backends.vm.guest_terms import guest_terms
from isoscope.backends.vm.hypervisor import Hypervisor
from isoscope.backends.vm.process import QemuProcess, cpu_time, find
from isoscope.backends.vm.protocol import Kind
from isoscope.backends.vm.relay import relay
from isoscope.backends.vm.shares import bind
from isoscope.backends.vm.task import Command, Task
from isoscope.core.errors import InstanceFailed, IsoscopeError, Timeout, Unsupported
from isoscope.core.instance import Connection, Execution, Exit, Instance, Stats, Status
from isoscope.core.launch import Launch
from isoscope.core.output import Stdio
from isoscope.core.workload import Network

#: Seconds within which a guest comes up: on a busy host, TCG may be given little of the processor.
_PATIENCE = {"kvm": 60.0, "tcg": 180.0}

#: Seconds within which a guest that runs starts another command, or reports that one that it killed has ended.
_ANSWER = 30.0

_KILLED = Exit(signal=signal.SIGKILL)  #: how everything in a machine ends that is switched off


@dataclass(frozen=True)
class Site:
    """What an instance gets from its backend."""

    home: Path
    hypervisor: Hypervisor
    network: BridgeNetwork
    template: Path  #: what the private disk is a copy of: an empty overlay on the image's disk, or that itself
    cgroup: Cgroup  #: that counts it; without directories where none can be made, or a daemon has its own
    proof: dict[str, str]  #: what is known of the machine before it runs
    machine: Callable[[Launch, Files, Lease | None], Machine]


class VmInstance(Instance):
    """A domain that lives for one workload.

    The phases end: `define` when QEMU runs and connects to us, `vmm` with the first byte on the guest's console,
    `kernel` with the init's first word there, `init` when the guest reports that it is configured and about to run the
    command, `exec` when it reports that execve(2) has succeeded. All are stamped where they arrive, on the host.
    """

    phases = ("define", "vmm", "kernel", "init", "exec", "ready")

    def __init__(self, launch: Launch, site: Site) -> None:
        super().__init__(launch)
        self._site = site
        self._hypervisor = site.hypervisor
        self._files = Files(site.home, self.record)
        self._cgroup = site.cgroup
        self._proof = dict(site.proof)
        self._console: Console | None = None
        self._serial: Endpoint | None = None
        self._control: Control | None = None
        self._task: Task | None = None
        self._domain: Any = None
        self._process: QemuProcess | None = None
        self._claimed = False
        self._ending = False  #: we are about to end the machine ourselves
        self._crash: InstanceFailed | None = None

    # Starting

    def _start(self) -> None:
        deadline = monotonic() + _PATIENCE[self._proof["accelerator"]]
        pid_file = roots.pid_file(self._hypervisor.root, self.record.mark) if self._hypervisor.root else None
        vm = {"uri": self._hypervisor.uri, "pid_file": pid_file and str(pid_file)}
        self.record.claim(vm=vm, cgroups=self._cgroup.directories)
        self._claimed = True
        counting.make(self._cgroup)
        self._files.make()
        lease = self._site.network.lease(self.record) if self.workload.network is Network.BRIDGE else None
        overlay.copy(self._site.template, self._files.disk)
        self._listen()
        machine = self._site.machine(self.launch, self._files, lease)
        for share in machine.shares:
            bind(share)
        self._run_qemu(domain_xml(machine))
        try:
            # Before it is told what to run, while it boots: afterwards, it might have ended.
            self._process = self._find_process()
            self._check_accelerator()
            # Should nobody be left to end QEMU, it ends with its guest, which does when its control channel is hung up.
            self._ask_qemu("set-action", shutdown="poweroff")
            self._instruct(guest_terms(self.launch, lease, machine.shares), deadline)
            self._await_start(deadline)
        except InstanceFailed as error:
            if self._crash is not None:  # and so some question was not answered
                raise self._crash from error
            raise

    def _run_qemu(self, xml: str) -> None:
        root = self._hypervisor.root
        if root is None:
            self._domain = self._hypervisor.start(xml)
            return
        mark = self.record.mark
        with counting.entering(self._cgroup, roots.pid_file(root, mark).parent, roots.pid_files(mark)):
            self._domain = self._hypervisor.start(xml)

    def _find_process(self) -> QemuProcess | None:
        pid_file = self.record.resources["vm"]["pid_file"]
        return find(Path(pid_file), self.record.mark) if pid_file else None

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
        self._task.run()

    def _await_start(self, deadline: float) -> None:
        assert self._task is not None
        assert self._control is not None
        if not self._task.wait_started(max(0, deadline - monotonic())):
            missing = next(phase for phase in self.phases if phase not in self.timeline.moments)
            raise self._late(f"the guest did not come up: phase {missing!r} did not end")
        self._proof.update(self._control.hello)

    def _check_accelerator(self) -> None:
        """What the running QEMU says it uses is what stands beside each figure."""
        used = "kvm" if self._ask_qemu("query-kvm")["enabled"] else "tcg"
        if used != self._proof["accelerator"]:
            raise InstanceFailed(f"QEMU uses {used} instead of {self._proof['accelerator']}", hint="isoscope doctor")

    def _ask_qemu(self, command: str, **arguments: str) -> Any:
        """A command of QEMU's monitor, https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html."""
        import libvirt_qemu  # type: ignore[import-untyped]

        asked = json.dumps({"execute": command, "arguments": arguments})
        with libvirt_errors(f"QEMU does not answer {command}"):
            return json.loads(libvirt_qemu.qemuMonitorCommand(self._domain, asked, 0))["return"]

    def _command(self, arguments: tuple[str, ...], stdio: Stdio, terminal: bool) -> Command:
        return Command(
            arguments=arguments,
            environment=self.launch.environment(),
            directory=self.launch.working_directory(),
            user=self.launch.rootfs.user,
            stdin=stdio.stdin,
            terminal=window_size(stdio) if terminal else None,
        )

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
            if self._exited.wait(_ANSWER):
                return
        self._switch_off()
        self.saw_exit(_KILLED)

    def _exec(self, command: tuple[str, ...], stdio: Stdio, terminal: bool) -> Execution:
        assert self._control is not None
        task = self._control.open(lambda send: Task(self._command(command, stdio, terminal), send, output=relay(stdio)))
        task.run()
        if not task.wait_started(_ANSWER):
            task.kill(signal.SIGKILL)
            raise self._late(f"the guest did not start {command[0]!r}")
        return task

    def resize(self, rows: int, columns: int) -> None:
        if self._task is not None:
            self._task.resize(rows, columns)

    def _pause(self) -> None:
        with libvirt_errors("libvirt cannot pause the virtual machine"):
            self._domain.suspend()

    def _resume(self) -> None:
        with libvirt_errors("libvirt cannot resume the virtual machine"):
            self._domain.resume()

    def _stats(self) -> Stats:
        assert self._control is not None
        pids = self._control.pids(1) if self.status is Status.RUNNING else None
        if self._process is None:
            used = self._hypervisor.stats(self._domain)
        elif self._cgroup.directories:
            used = replace(self._cgroup.stats(), cpu_ns=cpu_time(self._host_pids()))  # the cgroup may not count it
        else:
            used = self._process.stats()
        return replace(used, pids=pids)

    def _host_pids(self) -> tuple[int, ...]:
        if self._cgroup.directories:
            return self._cgroup.processes()
        if self._process is None:
            raise Unsupported("a libvirt daemon does not tell which processes are a virtual machine's")
        return (self._process.pid,)

    def backing(self, path: str) -> Path:
        return self._files.disk

    def proof(self) -> dict[str, str]:
        return dict(self._proof)

    def connection(self) -> Connection | None:
        return Lease.connection(self.record)

    # The end

    def _switch_off(self) -> None:
        self._ending = True
        if not self._claimed:
            return
        self._process = self._process or self._find_process()  # a start may have been interrupted anywhere
        if self._process is not None:
            # libvirt would ask QEMU first, and then look five times a second whether it has ended.
            self._process.kill()
        elif self._hypervisor.root is None:
            self._hypervisor.destroy(self.record.mark)

    def _delete(self) -> None:
        self._switch_off()
        for part in self._parts():
            part.close()
        if self._claimed:
            self._cgroup.end()
        self._site.network.release(self.record)
        self._files.remove()

    def _parts(self) -> Iterator[Any]:
        yield from (part for part in (self._control, self._serial, self._console, self._process) if part is not None)

    def _trouble(self) -> str:
        tail = self._console.tail() if self._console is not None else "(nothing)"
        return f"the guest's console said last:\n{tail}"

    def _late(self, message: str) -> IsoscopeError:
        return Timeout(f"{message} within {_PATIENCE[self._proof['accelerator']]:g} s", hint=self._trouble())
