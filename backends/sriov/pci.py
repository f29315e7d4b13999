"""PCI functions as sysfs shows them, below a root that may stand for another host's.

Sources: Documentation/ABI/testing/sysfs-bus-pci and Documentation/PCI/pci-iov-howto.rst of the kernel.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from isoscope.core.errors import HostError, NotFound
from isoscope.core.host.files import names_in, read, target
from isoscope.core.patience import patience

_BRIDGE = 0x06  #: base class of bridges, include/linux/pci_ids.h
NETWORK = 0x02  #: of network controllers
VFIO = "vfio-pci"  #: the driver that hands devices to VMs, Documentation/driver-api/vfio.rst

#: Seconds that a driver may take to let go of a function; drivers of cards reset them meanwhile.
_LETTING_GO = 30

#: Names of the ports of a card that switches packets itself (Documentation/networking/devlink/devlink-port.rst):
#: such a network device stands for a virtual function, and is not the card's own.
_REPRESENTOR = re.compile(r"(c\d+)?pf\d+[vs]f\d+", re.ASCII)

_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", re.ASCII)


@dataclass(frozen=True)
class Function:
    """A PCI function at one moment."""

    address: str  #: as in 0000:01:10.0
    kind: int  #: base class, as in `NETWORK`
    driver: str  #: that it is bound to; "" for none
    override: str  #: the one driver that it may be bound to; "" for whichever fits
    group: int | None  #: IOMMU group
    interfaces: tuple[str, ...]  #: network devices of it in this network namespace, without representors
    switched: bool  #: it has representors: its virtual functions are ports of a switch that others configure
    physical: str  #: address of the physical function, for a virtual one; else ""
    total_vfs: int  #: the most virtual functions that it can have; 0 for what is no physical function
    vfs: tuple[str, ...]  #: addresses of those that were made, in the order of their numbers
    autoprobe: bool  #: whether new virtual functions are bound to a driver at once

    @property
    def is_bridge(self) -> bool:
        """Whether it connects buses rather than being a device: VFIO lets such members of a group alone."""
        return self.kind == _BRIDGE


class Pci:
    """The functions of one host. Reads anew each time: other programs change them, too."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._sys = root / "sys"
        self._devices = self._sys / "bus/pci/devices"

    def functions(self) -> list[Function]:
        """All, by address."""
        return [self.function(name) for name in names_in(self._devices)]

    def function(self, address: str) -> Function:
        """One function. Raises NotFound."""
        path = self._devices / address
        if not _ADDRESS.fullmatch(address) or not path.is_dir():
            raise NotFound(f"there is no PCI function {address!r}", hint="lspci -D lists them")
        numbered = sorted((int(n[6:]), n) for n in names_in(path) if n.startswith("virtfn") and n[6:].isdecimal())
        group = target(path / "iommu_group")
        devices = names_in(path / "net")
        own = tuple(
            name for name in devices if not _REPRESENTOR.fullmatch(read(path / "net" / name / "phys_port_name"))
        )
        override = read(path / "driver_override")
        return Function(
            address=address,
            kind=self._number(path / "class", 16) >> 16,
            driver=target(path / "driver"),
            override="" if override == "(null)" else override,
            group=int(group) if group.isdecimal() else None,
            interfaces=own,
            switched=len(own) < len(devices),
            physical=target(path / "physfn"),
            total_vfs=self._number(path / "sriov_totalvfs", 10),
            vfs=tuple(target(path / name) for _, name in numbered),
            autoprobe=self._number(path / "sriov_drivers_autoprobe", 10) != 0,
        )

    def virtual_functions(self, card: Function) -> list[tuple[int, Function]]:
        """A card's virtual functions with their numbers, without any that was removed behind its back."""
        numbered = [(number, self._find(address)) for number, address in enumerate(card.vfs)]
        return [(number, vf) for number, vf in numbered if vf is not None]

    def group(self, number: int) -> list[Function]:
        """The members of an IOMMU group, by address."""
        members = map(self._find, names_in(self._sys / f"kernel/iommu_groups/{number}/devices"))
        return [one for one in members if one is not None]

    def _find(self, address: str) -> Function | None:
        try:
            return self.function(address)
        except NotFound:
            return None

    def physical_functions(self) -> Iterator[Function]:
        """Those that can have virtual functions, by address."""
        return (function for function in self.functions() if function.total_vfs)

    def has_driver(self, name: str) -> bool:
        """Whether a driver is loaded."""
        return (self._sys / "bus/pci/drivers" / name).is_dir()

    def addresses_to_be(self, card: str, count: int) -> list[str]:
        """Where so many virtual functions will be: at the routing IDs that the card's offset and stride give.

        Empty where the card does not tell. A card may change its mind when they are made (SR-IOV 1.1, 3.3.9).
        """
        path = self._devices / card
        offset, stride = (self._number(path / f"sriov_{name}", 10) for name in ("offset", "stride"))
        if not offset:
            return []
        domain, bus, rest = card.split(":")
        slot, number = rest.split(".")
        first = (int(bus, 16) << 8 | int(slot, 16) << 3 | int(number)) + offset
        places = [first + stride * number for number in range(count)]
        return [f"{domain}:{at >> 8:02x}:{at >> 3 & 31:02x}.{at & 7}" for at in places]

    def user(self, group: int | None) -> str:
        """Who has a device of an IOMMU group open through VFIO, as in `process 7 (qemu)`; "" for nobody.

        Taking such a device from its driver would block until it is closed, whatever signals come.
        """
        node = self._root / "dev/vfio" / str(group)
        try:
            os.close(os.open(node, os.O_RDWR | os.O_CLOEXEC))
        except OSError as error:
            if error.errno == errno.EBUSY:  # a group can be open once
                return next(self._openers(f"/dev/vfio/{group}"), "a process that cannot be seen from here")
        return ""

    def _openers(self, node: str) -> Iterator[str]:
        for process in filter(str.isdecimal, names_in(self._root / "proc")):
            descriptors = self._root / "proc" / process / "fd"
            if any(_link(descriptors / name) == node for name in names_in(descriptors)):
                yield f"process {process} ({read(descriptors.parent / 'comm')})"

    # Writing. Each raises HostError with what the kernel said.

    def set_vf_count(self, address: str, count: int) -> None:
        """Make so many virtual functions, or none. The kernel goes from one number to another only by way of none."""
        self._write(self._devices / address / "sriov_numvfs", str(count), blocks=True)

    def set_autoprobe(self, address: str, on: bool) -> None:
        """Say whether new virtual functions are bound to a driver at once."""
        self._write(self._devices / address / "sriov_drivers_autoprobe", str(int(on)))

    def unbind(self, address: str) -> None:
        """Take a function from its driver. One that has none is left alone."""
        driver = self._devices / address / "driver"
        if driver.exists():
            self._write(driver / "unbind", address, blocks=True)

    def set_override(self, address: str, driver: str) -> None:
        """Say which driver alone a function may be bound to; "" for whichever fits."""
        self._write(self._devices / address / "driver_override", driver or "\n")

    def bind(self, address: str, driver: str) -> None:
        """Give a function without a driver to this one.

        Without autoprobe, the kernel binds a virtual function to no driver but the one that overrides.
        """
        before = self.function(address).override
        self.set_override(address, driver)
        try:
            self._write(self._sys / "bus/pci/drivers_probe", address)
        finally:
            self.set_override(address, before)
        if target(self._devices / address / "driver") != driver:
            raise HostError(f"the driver {driver} does not take {address}", hint="dmesg may say why")

    def probe(self, address: str, card: str) -> None:
        """Give a virtual function of a card to the driver that the kernel has for it."""
        before = self.function(card).autoprobe
        self.set_autoprobe(card, on=True)
        try:
            self._write(self._sys / "bus/pci/drivers_probe", address)
        finally:
            self.set_autoprobe(card, on=before)
        if not target(self._devices / address / "driver"):
            raise HostError(
                f"the kernel has no driver for {address}", hint="modprobe igbvf, ixgbevf, iavf or mlx5_core"
            )

    def modalias(self, address: str) -> str:
        """What modprobe(8) finds a function's driver by."""
        return read(self._devices / address / "modalias")

    def _write(self, path: Path, text: str, *, blocks: bool = False) -> None:
        """Write to a file of the kernel's; `blocks` for what waits until a driver has let go."""
        if blocks:
            _write_in_a_child(path, text)
            return
        try:
            fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
            try:
                os.write(fd, text.encode())
            finally:
                os.close(fd)
        except OSError as error:
            raise HostError(
                f"cannot write {text.strip()!r} to {path}: {error.strerror}", hint="see dmesg(1)"
            ) from error

    def _number(self, path: Path, base: int) -> int:
        try:
            return int(read(path).removeprefix("0x"), base)
        except ValueError:
            return 0


def _write_in_a_child(path: Path, text: str) -> None:
    """A driver that does not let go keeps the writer in the kernel, deaf to SIGKILL: then that is not this process."""
    words = ["dd", f"of={path}", "conv=nocreat", "status=none"]
    with TemporaryFile() as said:
        writer = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=said, env={**os.environ, "LC_ALL": "C"})
        try:
            writer.communicate(text.encode(), timeout=patience(_LETTING_GO))
        except subprocess.TimeoutExpired:
            threading.Thread(target=writer.wait, daemon=True).start()  # whenever that may be
            raise HostError(
                f"{path} has taken {text!r} for {patience(_LETTING_GO):g} s: some driver does not let go",
                hint="dmesg may say what it waits for; isoscope gc tries again",
            ) from None
        if writer.returncode:
            said.seek(0)
            reason = said.read().decode(errors="replace").strip().rpartition(": ")[2]
            raise HostError(f"cannot write {text!r} to {path}: {reason}", hint="see dmesg(1)")


def _link(link: Path) -> str:
    """What a link points to; "" when there is none."""
    try:
        return os.readlink(link)
    except OSError:
        return ""
