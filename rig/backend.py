"""The backend `rig`: a command on the emulated host."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from isoscope.backends.vm import tsc
from isoscope.backends.vm.files import Files
from isoscope.backends.vm.process import find
from isoscope.core.backend import Backend, Lack
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import InputError
from isoscope.core.instance import Instance
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.rootfs import Rootfs
from isoscope.core.units import format_size
from isoscope.core.workload import Mount
from isoscope.images import guest as guests
from isoscope.images.disk import disk_image
from isoscope.images.store import Store
from isoscope.rig.emulator import PROGRAM, Emulator, emulator, sweep
from isoscope.rig.instance import RigInstance
from isoscope.rig.machine import Machine, Share

DEFAULT_MEMORY = 2 << 30  #: bytes
_LEAST_MEMORY = 1 << 30
_DEFAULT_CPUS = 1  #: translated processors wait for each other: on two, a program takes 40 ms to start instead of 6

#: The image of the benchmark `network`, which is what the card is there for.
_MEASURED = "net"


class RigBackend(Backend):
    """A machine with an IOMMU and an SR-IOV card; its files are the host's, and changes to them its own."""

    name: ClassVar[str] = "rig"
    summary: ClassVar[str] = "an emulated host with an SR-IOV card, for tests and teaching; it shows the host's files"
    by_default: ClassVar[bool] = False
    capabilities: ClassVar[Capabilities] = Capabilities(
        limits=frozenset({"cpus", "memory"}),
        mounts=True,
        terminal=True,
        exec=True,
        stats=True,
        runs_image=False,
        own_kernel=True,
    )

    def lacks(self) -> list[Lack]:
        lacks = [
            Lack(f"{program} is not installed", f"apt-get install {package}")
            for program, package in guests.lacks(self.context.home, guests.FULL_VM)
        ]
        if shutil.which(PROGRAM) is None:  # also that of a newer suite needs the libraries of the release's own
            lacks.append(Lack(f"{PROGRAM} is not installed", "apt-get install qemu-system-x86"))
        return lacks

    def create(self, launch: Launch) -> Instance:
        resources = launch.workload.resources
        memory = resources.memory or DEFAULT_MEMORY
        if memory < _LEAST_MEMORY:
            raise InputError(
                f"{format_size(memory)} are too little for a host with machines of its own",
                hint=f"give it at least {format_size(_LEAST_MEMORY)}",
            )
        shares = _shares(launch.workload.mounts)
        qemu, guest = supply(self.context.home, launch.rootfs)
        files = Files(self.context.home, launch.record)
        machine = Machine(
            name=launch.record.mark,
            emulator=qemu,
            guest=guest,
            cpus=round(resources.cpus or _DEFAULT_CPUS),
            memory=memory,
            console=files.console,
            control=files.control,
            tsc_khz=tsc.khz(),
            shares=shares,
        )
        proof = {"accelerator": "tcg", "guest": machine.guest.package, "qemu": str(machine.emulator.program)}
        return RigInstance(launch, self.context.home, machine, files, proof)

    def reclaim(self, record: Record) -> None:
        pid_file = record.resources.get("rig", {}).get("pid_file")
        process = find(Path(pid_file), record.mark) if pid_file else None
        if process is not None:
            process.kill()
            process.close()
        if pid_file:
            Path(pid_file).unlink(missing_ok=True)
        Files(self.context.home, record).remove()

    def sweep(self, live: list[Record]) -> list[str]:
        return [*guests.sweep(self.context.home, guests.FULL_VM), *sweep(self.context.home)]


def supply(home: Path, rootfs: Rootfs) -> tuple[Emulator, guests.Guest]:
    """What the rig boots, and what the machines and containers in it do: built or fetched where it is missing.

    In there, building would take minutes. Raises HostError.
    """
    qemu, guest = emulator(home), guests.guest(home, guests.FULL_VM)
    guests.guest(home, guests.VM)
    disk_image(rootfs, home)
    disk_image(Store(home).rootfs(_MEASURED), home)
    return qemu, guest


def _shares(mounts: Sequence[Mount]) -> tuple[Share, ...]:
    """The mounts, outer targets first, or they would cover the inner ones. Raises InputError."""
    for mount in mounts:
        if not mount.source.is_dir():
            raise InputError(f"{mount.source} is not a directory: QEMU serves no others", hint="mount the one it is in")
    ordered = sorted(mounts, key=lambda mount: len(mount.target.parts))
    return tuple(Share(f"share{n}", m.source, m.target, read_only=m.read_only) for n, m in enumerate(ordered))
