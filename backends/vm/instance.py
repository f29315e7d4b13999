"""One workload in one VM."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

from isoscope.backends.launcher.cgroups import Cgroup
from isoscope.backends.network import Lease
from isoscope.backends.sriov import VfLease
from isoscope.backends.vm import counting, overlay, roots
from isoscope.backends.vm.domain import Machine, domain_xml
from isoscope.backends.vm.faults import libvirt_errors
from isoscope.backends.vm.files import Files
from isoscope.backends.vm.guest_instance import GuestInstance
from isoscope.backends.vm.guest_terms import guest_terms
from isoscope.backends.vm.hypervisor import Hypervisor
from isoscope.backends.vm.process import QemuProcess, cpu_time, find
from isoscope.backends.vm.shares import bind
from isoscope.core.errors import InstanceFailed, Unsupported
from isoscope.core.instance import Connection, Stats, Status
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.workload import Network

#: Seconds within which a guest comes up: on a busy host, TCG may be given little of the processor.
_PATIENCE = {"kvm": 60.0, "tcg": 180.0}


@dataclass(frozen=True)
class Site:
    """What an instance gets from its backend."""

    home: Path
    hypervisor: Hypervisor
    lease: Callable[[Launch], Lease | VfLease | None]
    release: Callable[[Record], None]
    template: Path  #: what the private disk is a copy of: an empty overlay on the image's disk, or that itself
    cgroup: Cgroup  #: that counts it; without directories where none can be made, or a daemon has its own
    proof: dict[str, str]  #: what is known of the machine before it runs
    machine: Callable[[Launch, Files, Lease | VfLease | None], Machine]


class VmInstance(GuestInstance):
    """A libvirt domain."""

    def __init__(self, launch: Launch, site: Site) -> None:
        files = Files(site.home, launch.record)
        super().__init__(launch, files, site.proof, patience=_PATIENCE[site.proof["accelerator"]])
        self._site = site
        self._hypervisor = site.hypervisor
        self._cgroup = site.cgroup
        self._domain: Any = None
        self._claimed = False

    # Starting

    def _start(self) -> None:
        deadline = monotonic() + self._patience
        pid_file = roots.pid_file(self._hypervisor.root, self.record.mark) if self._hypervisor.root else None
        vm = {"uri": self._hypervisor.uri, "pid_file": pid_file and str(pid_file)}
        self.record.claim(vm=vm, cgroups=self._cgroup.directories)
        self._claimed = True
        counting.make(self._cgroup)
        self._files.make()
        lease = self._site.lease(self.launch)
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

    # The other verbs

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

    def _used(self) -> Stats:
        used = self._cgroup.stats() if self._cgroup.directories else Stats()
        pids = self._cgroup.processes() if self._cgroup.directories else ()
        return Stats(cpu_ns=cpu_time(pids) if pids else None, memory_peak=used.memory_peak)  # while QEMU is still there

    def _host_pids(self) -> tuple[int, ...]:
        if self._cgroup.directories:
            return self._cgroup.processes()
        if self._process is None:
            raise Unsupported("a libvirt daemon does not tell which processes are a virtual machine's")
        return (self._process.pid,)

    def backing(self, path: str) -> Path:
        return self._files.disk

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
        if self._domain is not None and self.launch.workload.network is Network.VF:
            self._hypervisor.settle_one(self.record.mark)  # or it and we would give the function back at once
        self._site.release(self.record)
        self._files.remove()
