"""The backend `qemu-boot`: a bare QEMU that boots a guest to its first process and runs nothing there.

It is there for the clock of studies of virtual machine monitors, from the monitor's execution to its end, and for what
firmware and machine type cost. The backend `vm` is the one that runs workloads.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from isoscope.backends.boot.instance import BootInstance, end_left_behind
from isoscope.backends.boot.machine import MACHINES, QBOOT, Machine
from isoscope.backends.vm import tsc
from isoscope.backends.vm.backend import DEFAULT_MEMORY, LEAST_MEMORY
from isoscope.core.backend import Backend, Lack, Step
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import BackendUnavailable, HostError, InputError
from isoscope.core.instance import Instance
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.units import format_size
from isoscope.core.variant import Option
from isoscope.images import guest as guests
from isoscope.images.guest.exit_port import exit_port, place

_EMULATOR = "qemu-system-x86_64"
_FIRMWARE = Path("/usr/share/qemu") / QBOOT


class BootBackend(Backend):
    """One boot for each instance, whatever its workload."""

    name: ClassVar[str] = "qemu-boot"
    summary: ClassVar[str] = (
        "a bare QEMU that boots our guest's kernel and ends: runs no image, for studies of start-up"
    )
    by_default: ClassVar[bool] = False
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "machine", "QEMU's machine type; microvm has no PCI bus and hardly any old device", tuple(MACHINES), "pc"
        ),
        Option("firmware", "what finds and starts the kernel", ("qboot", "seabios"), "qboot"),
        Option(
            "accelerator",
            "how guest code runs: kvm on the processor itself, tcg translated; auto takes kvm where it is usable",
            ("auto", "kvm", "tcg"),
            "auto",
        ),
        Option("guest", "ends the machine as soon as it is up, or stays until it is killed", ("ends", "stays"), "ends"),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        limits=frozenset({"memory"}), stats=True, runs_image=False, own_kernel=True
    )

    def lacks(self) -> list[Lack]:
        lacks = [
            Lack(f"{program} is not installed", f"apt-get install {package}")
            for program, package in guests.lacks(self.context.home)
        ]
        if shutil.which(_EMULATOR) is None:
            lacks.append(Lack(f"{_EMULATOR} is not installed", "apt-get install qemu-system-x86"))
        return lacks

    def check(self, options: Mapping[str, str]) -> None:
        if options["machine"] == "microvm" and options["firmware"] == "seabios":
            raise InputError("the machine microvm is not booted by SeaBIOS here", hint="use firmware=qboot")
        if options["firmware"] == "qboot" and not _FIRMWARE.exists():
            raise HostError(f"{_FIRMWARE} is missing", hint="apt-get install qemu-system-data, or use firmware=seabios")

    def plan(self, launch: Launch) -> list[Step]:
        guest = guests.find(self.context.home)
        kernel = guest.kernel.resolve() if guest else Path("kernel, to be built")
        machine = self._machine(launch, self._accelerator(launch), kernel, place(self.context.home))
        end = "says that it is up" if machine.stays else "writes to the exit port, and QEMU ends"
        return [Step("exec", f"execve {' '.join(machine.command())}"), Step("ready", f"its first process {end}")]

    def create(self, launch: Launch) -> Instance:
        accelerator = self._accelerator(launch)
        self._memory(launch)
        guest = guests.guest(self.context.home)
        initrd = exit_port(self.context.home)
        tsc.khz()  # now, so that the first start is not kept waiting
        machine = self._machine(launch, accelerator, guest.kernel.resolve(), initrd)
        proof = {
            "accelerator": accelerator,
            "machine": machine.type,
            "firmware": machine.firmware,
            "kernel": guest.release,
            "guest": guest.package,
            "qemu": self.context.host.qemu.version or "",
            "runs": "nothing",
        }
        return BootInstance(launch, machine, proof)

    def reclaim(self, record: Record) -> None:
        end_left_behind(record.mark)

    def _accelerator(self, launch: Launch) -> str:
        chosen, kvm = launch.options["accelerator"], self.context.host.kvm
        if chosen == "kvm" and not kvm.usable:
            raise BackendUnavailable(
                f"KVM is {kvm.status.value} here: {kvm.reason}", hint=kvm.remedy or "use accelerator=tcg, or auto"
            )
        return "kvm" if kvm.usable and chosen != "tcg" else "tcg"

    def _memory(self, launch: Launch) -> int:
        memory = launch.workload.resources.memory or DEFAULT_MEMORY
        if memory < LEAST_MEMORY:
            raise InputError(
                f"{format_size(memory)} are too little for a kernel",
                hint=f"give it at least {format_size(LEAST_MEMORY)}",
            )
        return memory

    def _machine(self, launch: Launch, accelerator: str, kernel: Path, initrd: Path) -> Machine:
        return Machine(
            name=launch.record.mark,
            emulator=_EMULATOR,
            type=launch.options["machine"],
            firmware=launch.options["firmware"],
            accelerator=accelerator,
            memory=self._memory(launch),
            kernel=kernel,
            initrd=initrd,
            stays=launch.options["guest"] == "stays",
            tsc_khz=tsc.khz() if accelerator == "tcg" else None,
        )
