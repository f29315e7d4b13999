"""The command line of a QEMU that boots one guest.

As the start scripts of the Firecracker paper have it (Agache et al., NSDI 2020; `util_start_qemu.sh` and
`util_start_qemu_uvm.sh` of its published data), but for the disk, in whose place an initrd stands: a distribution's
kernel has the driver of a disk as a module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Machines, with the switches that the study gave each.
MACHINES = {
    "pc": "pc,acpi=off",
    "q35": "q35,acpi=off",
    "microvm": "microvm,acpi=off,x-option-roms=off,pit=off,pic=off,rtc=off",
}

QBOOT = "qboot.rom"  #: which QEMU finds in its own data directory


@dataclass(frozen=True)
class Machine:
    """What is booted, and how."""

    name: str
    emulator: str
    type: str  #: one of MACHINES
    firmware: str  #: `seabios` or `qboot`
    accelerator: str  #: `kvm` or `tcg`
    memory: int  #: bytes
    kernel: Path
    initrd: Path
    stays: bool  #: its first process says a line and waits, instead of ending the machine
    tsc_khz: int | None = None  #: rate of the time-stamp counter that the guest sees, where it is known

    def command(self) -> tuple[str, ...]:
        """Program and arguments."""
        return (self.emulator, *self._machine(), "-append", " ".join(self.parameters()))

    def _machine(self) -> Iterator[str]:
        serial = ",isa-serial=off" if self.type == "microvm" and not self.stays else ""
        yield from ("-name", f"guest={self.name}", "-machine", MACHINES[self.type] + serial)
        if self.firmware == "qboot":
            yield from ("-bios", QBOOT)
        yield from ("-accel", self.accelerator, "-cpu", "host" if self.accelerator == "kvm" else "max,-erms")
        yield from ("-smp", "1", "-m", f"size={self.memory >> 10}k")
        yield from ("-nodefaults", "-no-user-config", "-nic", "none", "-display", "none", "-vga", "none")
        yield from ("-serial", "stdio" if self.stays else "none", "-no-reboot")
        yield from ("-device", "isa-debug-exit,iobase=0xf4,iosize=0x4")
        yield from ("-kernel", str(self.kernel), "-initrd", str(self.initrd))

    def parameters(self) -> Iterator[str]:
        """The kernel's parameters (Documentation/admin-guide/kernel-parameters.txt)."""
        yield from ("quiet", "panic=-1", "reboot=k", "tsc=reliable", "ipv6.disable=1", "cryptomgr.notests")
        if self.stays:
            yield from ("console=ttyS0", "isoscope_stays=1")
        else:
            yield "8250.nr_uarts=0"
        if self.accelerator == "tcg":
            yield "no_timer_check"
            if self.tsc_khz is not None:
                yield f"tsc_early_khz={self.tsc_khz}"
