"""PCI functions as sysfs shows them, below a root that may stand for another host's.

Sources: Documentation/ABI/testing/sysfs-bus-pci and Documentation/PCI/pci-iov-howto.rst of the kernel.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isoscope.core.errors import HostError, NotFound

_BRIDGE = 0x06  #: base class of bridges, include/linux/pci_ids.h
NETWORK = 0x02  #: of network controllers
STORAGE = 0x01  #: of mass storage controllers


_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", re.ASCII)


@dataclass(frozen=True)
class Function:
    """A PCI function at one moment."""

    address: str  #: as in 0000:01:10.0
    kind: int  #: base class, as in `NETWORK`
    driver: str  #: that it is bound to; "" for none
    group: int | None  #: IOMMU group
    interfaces: tuple[str, ...]  #: network devices of it in this network namespace
    physical: str  #: address of the physical function, for a virtual one; else ""
    total_vfs: int  #: the most virtual functions that it can have; 0 for what is no physical function
    vfs: tuple[str, ...]  #: addresses of those that exist, in the order of their numbers
    autoprobe: bool  #: whether new virtual functions are bound to a driver at once

    @property
    def is_bridge(self) -> bool:
        """Whether it connects buses rather than being a device: VFIO lets such members of a group alone."""
        return self.kind == _BRIDGE


class Pci:
    """The functions of one host. Reads anew each time: other programs change them, too."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._sys = root / "sys"
        self._devices = self._sys / "bus/pci/devices"

    def functions(self) -> list[Function]:
        """All, by address."""
        return [self.function(name) for name in _names(self._devices)]

    def function(self, address: str) -> Function:
        """One function. Raises NotFound."""
        path = self._devices / address
        if not _ADDRESS.fullmatch(address) or not path.is_dir():
            raise NotFound(f"there is no PCI function {address!r}", hint="lspci -D lists them")
        numbered = sorted((int(n[6:]), n) for n in _names(path) if n.startswith("virtfn") and n[6:].isdecimal())
        group = _target(path / "iommu_group")
        return Function(
            address=address,
            kind=self._number(path / "class", 16) >> 16,
            driver=_target(path / "driver"),
            group=int(group) if group.isdecimal() else None,
            interfaces=tuple(_names(path / "net")),
            physical=_target(path / "physfn"),
            total_vfs=self._number(path / "sriov_totalvfs", 10),
            vfs=tuple(_target(path / name) for _, name in numbered),
            autoprobe=self._number(path / "sriov_drivers_autoprobe", 10) != 0,
        )

    def group(self, number: int) -> list[Function]:
        """The members of an IOMMU group, by address."""
        return [self.function(name) for name in _names(self._sys / f"kernel/iommu_groups/{number}/devices")]

    def physical_functions(self) -> Iterator[Function]:
        """Those that can have virtual functions, by address."""
        return (function for function in self.functions() if function.total_vfs)

    def has_driver(self, name: str) -> bool:
        """Whether a driver is loaded."""
        return (self._sys / "bus/pci/drivers" / name).is_dir()

    # Writing. Each raises HostError with what the kernel said.

    def set_vf_count(self, address: str, count: int) -> None:
        """Make so many virtual functions, or none. The kernel goes from one number to another only by way of none."""
        self._write(self._devices / address / "sriov_numvfs", str(count))

    def set_autoprobe(self, address: str, on: bool) -> None:
        """Say whether new virtual functions are bound to a driver at once."""
        self._write(self._devices / address / "sriov_drivers_autoprobe", str(int(on)))

    def unbind(self, address: str) -> None:
        """Take a function from its driver. One that has none is left alone."""
        driver = self._devices / address / "driver"
        if driver.exists():
            self._write(driver / "unbind", address)

    def bind(self, address: str, driver: str) -> None:
        """Give a function without a driver to this one.

        Without autoprobe, the kernel binds a virtual function to no driver but the one that overrides.
        """
        path = self._devices / address
        self._write(path / "driver_override", driver)
        try:
            self._write(self._sys / "bus/pci/drivers_probe", address)
        finally:
            self._write(path / "driver_override", "\n")
        if _target(path / "driver") != driver:
            raise HostError(f"the driver {driver} does not take {address}", hint="dmesg may say why")

    def probe(self, address: str, card: str) -> None:
        """Give a virtual function of a card to the driver that the kernel has for it."""
        before = self.function(card).autoprobe
        self.set_autoprobe(card, on=True)
        try:
            self._write(self._sys / "bus/pci/drivers_probe", address)
        finally:
            self.set_autoprobe(card, on=before)
        if not _target(self._devices / address / "driver"):
            raise HostError(
                f"the kernel has no driver for {address}", hint="modprobe igbvf, ixgbevf, iavf or mlx5_core"
            )

    def modalias(self, address: str) -> str:
        """What modprobe(8) finds a function's driver by."""
        try:
            return (self._devices / address / "modalias").read_text().strip()
        except OSError:
            return ""

    def _write(self, path: Path, text: str) -> None:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
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
            return int(path.read_text().strip().removeprefix("0x"), base)
        except (OSError, ValueError):
            return 0


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _target(link: Path) -> str:
    """Last part of what a link points to; "" when there is none."""
    try:
        return link.readlink().name
    except OSError:
        return ""
