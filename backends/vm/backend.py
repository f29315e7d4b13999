"""The `vm` backend: libvirt, QEMU, the distribution's kernel, and our init inside."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from isoscope.backends.launcher.cgroups import Cgroup, Tree
from isoscope.backends.network import BridgeNetwork, Lease
from isoscope.backends.sriov import OPTIONS, VfLease, VfNetwork, vf_terms
from isoscope.backends.vm import overlay, roots, shares, tsc, unfinished, vhost
from isoscope.backends.vm.domain import Machine
from isoscope.backends.vm.files import Files, check_reachable
from isoscope.backends.vm.guest_terms import vcpus
from isoscope.backends.vm.hypervisor import EMULATOR, Hypervisor, connect, disconnect, emulator, remember
from isoscope.backends.vm.instance import Site, VmInstance
from isoscope.backends.vm.plan import steps
from isoscope.backends.vm.process import find
from isoscope.backends.vm.processor import OPTIONS as PROCESSOR
from isoscope.backends.vm.processor import Processor
from isoscope.backends.vm.storage import OPTIONS as STORAGE
from isoscope.backends.vm.storage import Storage
from isoscope.core.backend import Backend, Context, Lack, Step
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import BackendUnavailable, InputError, IsoscopeError
from isoscope.core.instance import Instance
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.units import format_size
from isoscope.core.variant import Option
from isoscope.core.workload import Network
from isoscope.images import guest as guests
from isoscope.images.disk import disk_image, disk_path

DEFAULT_MEMORY = 256 << 20  #: bytes of RAM for a workload that names none
LEAST_MEMORY = 96 << 20  #: bytes of RAM below which the kernel does not come up

_MODULES = {"libvirt": "libvirt-python", "lxml": "lxml", "lz4": "lz4"}
#: Stands in a plan for what the first VM will build.
_UNBUILT = guests.Guest(Path("kernel, to be built"), Path("initrd, to be built"), "", "", pvh=True)

_PROGRAMS = {EMULATOR: "qemu-system-x86", "qemu-img": "qemu-utils"}


def _guest_kind(launch: Launch) -> guests.Kind:
    """Kernels for virtual machines lack the drivers of cards."""
    return guests.FULL_VM if launch.workload.network is Network.VF else guests.VM


class VmBackend(Backend):
    """One VM for each workload."""

    name = "vm"
    summary = "a virtual machine of its own for each workload (libvirt, QEMU with KVM or TCG)"
    options = (
        Option(
            "accelerator",
            "how guest code runs: kvm on the processor itself, tcg translated; auto takes kvm where it is usable",
            ("auto", "kvm", "tcg"),
            "auto",
        ),
        *PROCESSOR,
        *STORAGE,
        vhost.OPTION,
        *OPTIONS,
    )
    capabilities = Capabilities(
        networks=frozenset({Network.NONE, Network.BRIDGE, Network.VF}),
        limits=frozenset({"cpus", "memory", "pids"}),
        mounts=True,
        terminal=True,
        exec=True,
        pause=True,
        stats=True,
        own_kernel=True,
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._network = BridgeNetwork(context.home)
        self._vfs = VfNetwork(context.home)
        self._lock = threading.Lock()
        self._connection: Hypervisor | None = None
        self._machine_types: dict[str, str] = {}

    @cached_property
    def _tree(self) -> Tree:
        return Tree.discover()

    def lacks(self) -> list[Lack]:
        lacks = [
            Lack(f"the Python module {module} is not installed", "make setup, or pip install 'isoscope[vm]'")
            for module in _MODULES
            if find_spec(module) is None
        ]
        lacks += [
            Lack(f"{program} is not installed", f"apt-get install {package}")
            for program, package in (*self._programs(), *guests.lacks(self.context.home))
        ]
        if not lacks:
            try:
                self._hypervisor()
            except IsoscopeError as error:
                lacks.append(Lack(error.message, error.hint))
        return lacks

    def check(self, options: Mapping[str, str]) -> None:
        Storage.of(options).check(self.context.home)

    def plan(self, launch: Launch) -> list[Step]:
        accelerator = self._accelerator(launch)
        guest = guests.find(self.context.home, _guest_kind(launch)) or _UNBUILT
        files = Files(self.context.home, launch.record)
        machine = self._machine(launch, files, None, accelerator=accelerator, machine_type="q35", guest=guest)
        cgroup = Cgroup({}) if self.context.libvirt_uri else self._tree.counter(launch.record.mark)
        network = launch.workload.network
        vf = self._vfs.plan(vf_terms(launch.options), to_vm=True) if network is Network.VF else []
        uri = self.context.libvirt_uri or "qemu:///embed"
        return [*(Step("define", sentence) for sentence in vf), *steps(launch, machine, cgroup, uri)]

    def create(self, launch: Launch) -> Instance:
        accelerator = self._accelerator(launch)
        self._memory(launch)
        shares.check(launch.workload.mounts)
        in_kernel = vhost.chosen(launch.options["vhost"])
        tsc.khz()  # now, so that the first start is not kept waiting
        storage, processor = Storage.of(launch.options), self._processor(launch)
        hypervisor = self._hypervisor()
        machine_type = self._machine_type(hypervisor, accelerator)
        if hypervisor.root is None:
            check_reachable(self.context.home)
        guest = guests.guest(self.context.home, _guest_kind(launch))
        base = disk_image(launch.rootfs, self.context.home)

        def machine(launch: Launch, files: Files, lease: Lease | VfLease | None) -> Machine:
            return self._machine(launch, files, lease, accelerator=accelerator, machine_type=machine_type, guest=guest)

        proof = {
            "accelerator": accelerator,
            "machine": machine_type,
            **processor.proof(accelerator),
            "guest": guest.package,
            "connection": "embedded" if hypervisor.root else hypervisor.uri,
            **storage.proof(),
            **({"vhost": "on" if in_kernel else "off"} if launch.workload.network is Network.BRIDGE else {}),
            **hypervisor.versions(),
        }
        template = base if storage.format == "raw" else overlay.template(base, self.context.home)
        cgroup = self._cgroup(launch, hypervisor)
        home = self.context.home
        return VmInstance(launch, Site(home, hypervisor, self._lease, self._release, template, cgroup, proof, machine))

    def _lease(self, launch: Launch) -> Lease | VfLease | None:
        match launch.workload.network:
            case Network.BRIDGE:
                return self._network.lease(launch.record)
            case Network.VF:
                return self._vfs.lease(launch.record, vf_terms(launch.options), to_vm=True)
        return None

    def _release(self, record: Record) -> None:
        self._network.release(record)
        self._vfs.release(record)

    def reclaim(self, record: Record) -> None:
        vm = record.resources.get("vm", {})
        if vm.get("pid_file"):
            process = find(Path(vm["pid_file"]), record.mark)
            if process is not None:
                process.kill()
                process.close()
        elif vm:
            self._hypervisor().destroy(record.mark)
        Cgroup.recorded(record.resources.get("cgroups"), record.mark).end()
        self._release(record)
        Files(self.context.home, record).remove()

    def sweep(self, live: list[Record]) -> list[str]:
        home = self.context.home
        return [
            *self._tree.sweep(live),
            *self._network.sweep(live),
            *self._vfs.sweep(live),
            *roots.sweep(),
            *guests.sweep(home),
            *guests.sweep(home, guests.FULL_VM),
            *unfinished.sweep(home / "cache" / "libvirt"),
            *unfinished.sweep(home / "cache" / "overlays"),
        ]

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                disconnect(self._connection)
                self._connection = None
        self._network.close()
        self._vfs.close()
        self._tree.clean()

    # What instances are made of

    def _cgroup(self, launch: Launch, hypervisor: Hypervisor) -> Cgroup:
        if hypervisor.root is None:
            return Cgroup({})  # a daemon has its own
        cgroup = self._tree.counter(launch.record.mark)
        self._tree.prepare(cgroup)
        return cgroup

    def _programs(self) -> list[tuple[str, str]]:
        return [(program, package) for program, package in _PROGRAMS.items() if shutil.which(program) is None]

    def _accelerator(self, launch: Launch) -> str:
        chosen = launch.options["accelerator"]
        if chosen == "tcg":
            return "tcg"
        kvm = self.context.host.kvm
        if kvm.usable:
            return "kvm"
        if chosen == "kvm":
            raise BackendUnavailable(
                f"KVM is {kvm.status.value} here: {kvm.reason}", hint=kvm.remedy or "use accelerator=tcg, or auto"
            )
        return "tcg"

    def _processor(self, launch: Launch) -> Processor:
        return Processor.of(launch.options, vcpus(launch.workload.resources.cpus), self.context.host.cpu)

    def _memory(self, launch: Launch) -> int:
        memory = launch.workload.resources.memory or DEFAULT_MEMORY
        if memory < LEAST_MEMORY:
            raise InputError(
                f"{format_size(memory)} are too little for a virtual machine with a kernel of its own",
                hint=f"give it at least {format_size(LEAST_MEMORY)}",
            )
        return memory

    def _machine(
        self,
        launch: Launch,
        files: Files,
        lease: Lease | VfLease | None,
        *,
        accelerator: str,
        machine_type: str,
        guest: guests.Guest,
    ) -> Machine:
        return Machine(
            name=launch.record.mark,
            accelerator=accelerator,
            type=machine_type,
            emulator=emulator(),
            vcpus=vcpus(launch.workload.resources.cpus),
            memory=self._memory(launch),
            kernel=guest.kernel.resolve(),
            initrd=guest.initrd.resolve(),
            pvh=guest.pvh,
            disk=files.disk,
            base=disk_path(launch.rootfs.digest, self.context.home).resolve(),
            console=files.console,
            control=files.control,
            lease=lease,
            tsc_khz=tsc.khz() if accelerator == "tcg" else None,
            vhost=vhost.chosen(launch.options["vhost"]),
            storage=Storage.of(launch.options),
            processor=self._processor(launch),
            shares=shares.plan(launch.workload.mounts, files.shares),
        )

    def _hypervisor(self) -> Hypervisor:
        with self._lock:
            if self._connection is None:
                uri = self.context.libvirt_uri
                if uri and urlsplit(uri).netloc:
                    raise BackendUnavailable(
                        f"libvirt on another host ({uri}) cannot be used: disks and channels are files of this one",
                        hint="run isoscope there, or name a daemon of this host, such as qemu:///system",
                    )
                try:
                    self._connection = connect(self.context.home, uri)
                except BackendUnavailable as error:
                    remedy = "" if uri else self.context.host.libvirt.embedded.remedy
                    raise BackendUnavailable(error.message, hint=remedy or error.hint) from error
            return self._connection

    def _machine_type(self, hypervisor: Hypervisor, accelerator: str) -> str:
        if accelerator not in self._machine_types:
            self._machine_types[accelerator] = hypervisor.machine(accelerator)
            remember(self.context.home, hypervisor)
        return self._machine_types[accelerator]
