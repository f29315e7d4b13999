"""The rig's machine as QEMU is told of it, qemu(1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from isoscope.backends.vm.protocol import PORT
from isoscope.images.guest import Guest
from isoscope.rig.emulator import Emulator

#: The most virtual functions that the emulated card has, as its data sheet says (Intel 82576EB, 1.3).
MOST_VFS = 7

HOST_TAG = "host"

#: `iommu=pt`: devices that stay the machine's own are not translated. `lsm=capability`: AppArmor's profiles are the
#: host's. The rest leaves out what takes an emulated processor time.
_KERNEL = (
    "console=ttyS0 quiet panic=-1 intel_iommu=on iommu=pt lsm=capability mitigations=off audit=0 no_timer_check "
    "cryptomgr.notests tsc=reliable random.trust_cpu=on isoscope_host_root=" + HOST_TAG
)


@dataclass(frozen=True)
class Share:
    """A directory of the host that the machine can mount by its tag."""

    tag: str
    source: Path
    target: PurePosixPath  #: where the machine has it
    read_only: bool

    def words(self) -> tuple[str, str, str]:
        """What `prepare.sh` is told of it."""
        return self.tag, "ro" if self.read_only else "rw", str(self.target)


@dataclass(frozen=True)
class Machine:
    """What the rig is made of."""

    name: str  #: the instance's mark
    emulator: Emulator
    guest: Guest
    cpus: int
    memory: int  #: bytes
    console: Path  #: sockets that listen
    control: Path
    tsc_khz: int | None  #: rate of the time-stamp counter that it sees, where it is known
    shares: tuple[Share, ...] = ()

    def command(self) -> list[str]:
        """QEMU's command line. The accelerator is TCG, whatever the host has: only QEMU's own processor has SVM, and an
        IOMMU in front of it, everywhere.
        """
        return [*self.emulator.command(), *self._machine(), *self._channels(), *self._cards(), *self._files()]

    def _machine(self) -> Iterator[str]:
        yield from ("-name", f"guest={_escaped(self.name)}", "-nodefaults", "-no-user-config", "-no-reboot")
        yield from ("-display", "none", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max")
        yield from ("-smp", str(self.cpus), "-m", f"{self.memory >> 20}M")
        # VFIO wants interrupts remapped (Documentation/driver-api/vfio.rst), or a device could raise any of the host's.
        yield from ("-device", "intel-iommu,intremap=on")
        yield from ("-kernel", str(self.guest.kernel), "-initrd", str(self.guest.initrd))
        # What it measures itself may be far off: see `isoscope.backends.vm.tsc`.
        rate = "" if self.tsc_khz is None else f" tsc_early_khz={self.tsc_khz}"
        yield from ("-append", _KERNEL + rate)

    def _channels(self) -> Iterator[str]:
        yield from ("-chardev", f"socket,id=console,path={_escaped(self.console)}", "-serial", "chardev:console")
        yield from ("-chardev", f"socket,id=control,path={_escaped(self.control)}", "-device", "virtio-serial-pci")
        yield from ("-device", f"virtserialport,chardev=control,name={PORT}")

    def _cards(self) -> Iterator[str]:
        yield from ("-netdev", "user,id=outside", "-device", "virtio-net-pci,netdev=outside")
        # A port of its own puts the card, and each of its functions, into IOMMU groups of their own.
        yield from ("-device", "pcie-root-port,id=slot1,chassis=1,slot=1")
        yield from (
            "-netdev",
            "user,id=card,restrict=on,ipv6=off,net=10.69.0.0/24",
            "-device",
            "igb,netdev=card,bus=slot1",
        )

    def _files(self) -> Iterator[str]:
        for share in (Share(HOST_TAG, Path("/"), PurePosixPath("/"), read_only=True), *self.shares):
            read_only = ",readonly=on" if share.read_only else ""
            yield from (
                "-fsdev",
                f"local,id={share.tag},path={_escaped(share.source)},security_model=none,multidevs=remap{read_only}",
            )
            yield from ("-device", f"virtio-9p-pci,fsdev={share.tag},mount_tag={share.tag}")


def _escaped(value: str | Path) -> str:
    """A value within an option: a comma is doubled (qemu(1), QemuOpts)."""
    return str(value).replace(",", ",,")
