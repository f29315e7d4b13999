"""IOMMU groups and SR-IOV devices, as sysfs shows them (Documentation/ABI/testing/sysfs-bus-pci of the kernel)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isoscope.core.host.facts import Iommu, SriovDevice, Unsliced
from isoscope.core.host.files import cpuinfo, names_in, number, read, target

_DEVICES = "sys/bus/pci/devices"
_NETWORK, _BRIDGE = "0x02", "0x06"  # base classes, include/linux/pci_ids.h
_SRIOV_CAPABILITY = 0x0010  # include/uapi/linux/pci_regs.h
_UNSET = 0x20000000  # IORESOURCE_UNSET of include/linux/ioport.h: no address has been assigned

#: Drivers of which every card has virtual functions, unless they are switched off.
_ALWAYS = frozenset({"bnxt_en", "i40e", "ice", "ixgbe", "mlx5_core"})

_SWITCHED_OFF = (
    "has no virtual functions, though it could",
    "switch SR-IOV on in the firmware's set-up, and in the card's own: mstconfig for mlx5, devlink dev param for bnxt",
)
_NO_KERNEL = (
    "has virtual functions of which the kernel knows nothing",
    "boot a kernel with CONFIG_PCI_IOV; if it has it, dmesg says what it lacks",
)


def iommu(root: Path) -> Iommu:
    """The groups that devices are in."""
    units = tuple(names_in(root / "sys/class/iommu"))
    groups = len(names_in(root / "sys/kernel/iommu_groups"))
    if groups:
        return Iommu(groups, units)
    vendor = cpuinfo(root).get("vendor_id", "")
    if vendor == "AuthenticAMD":  # whose driver is on wherever the firmware tells of one
        remedy = "enable AMD-Vi (IOMMU) in the firmware's set-up, and boot without amd_iommu=off or iommu=off"
    else:
        remedy = "enable VT-d in the firmware's set-up, and boot with intel_iommu=on on the kernel's command line"
    return Iommu(0, units, "no device is in an IOMMU group", remedy)


def sriov(root: Path) -> tuple[SriovDevice, ...]:
    """The PCI functions that can split themselves into virtual functions, by address."""
    devices = root / _DEVICES
    found = ((number(devices / name / "sriov_totalvfs"), devices / name) for name in names_in(devices))
    return tuple(_device(path, total) for total, path in found if total)


def unsliced(root: Path) -> tuple[Unsliced, ...]:
    """The network cards that should have virtual functions, and show none, by address."""
    devices = root / _DEVICES
    found = (_unsliced(devices / name) for name in names_in(devices))
    return tuple(card for card in found if card is not None)


def _unsliced(path: Path) -> Unsliced | None:
    if not read(path / "class").startswith(_NETWORK) or number(path / "sriov_totalvfs") or (path / "physfn").exists():
        return None
    driver = target(path / "driver")
    if (total := capability(path)) is not None:
        return Unsliced(path.name, driver, *(_NO_KERNEL if total else _SWITCHED_OFF))
    return Unsliced(path.name, driver, *_SWITCHED_OFF) if driver in _ALWAYS else None


def capability(path: Path) -> int | None:
    """TotalVFs of a function's SR-IOV capability (SR-IOV 1.1, 3.3.5); None without one, or for who may not read it."""
    try:
        space = (path / "config").read_bytes()
    except OSError:
        return None
    at = 0x100  # where the extended capabilities of PCI Express begin
    for _ in range(len(space) // 8):  # a broken device may have its list go round
        header = int.from_bytes(space[at : at + 4], "little")
        if header & 0xFFFF == _SRIOV_CAPABILITY:
            return int.from_bytes(space[at + 0x0E : at + 0x10], "little")
        at = header >> 20
        if at < 0x100:
            return None
    return None


def _device(path: Path, total_vfs: int) -> SriovDevice:
    vfs = sorted((name for name in names_in(path) if name.startswith("virtfn")), key=lambda n: int(n[len("virtfn") :]))
    group = target(path / "iommu_group")
    return SriovDevice(
        address=path.name,
        driver=target(path / "driver"),
        total_vfs=total_vfs,
        vfs=tuple(target(path / name) for name in vfs),
        interfaces=tuple(names_in(path / "net")),
        iommu_group=int(group) if group.isdecimal() else None,
        modalias=read(path / "modalias"),
        room=_has_room(path),
        company=tuple(dict.fromkeys(_company(path, vfs))),
    )


def _has_room(path: Path) -> bool:
    """Whether each of the card's windows for virtual functions has a place: lines 7 to 12 of `resource`."""
    windows = [line.split() for line in read(path / "resource").splitlines()[7:13]]
    return not any(int(flags, 16) & _UNSET for _, _, flags in (window for window in windows if len(window) == 3))


def _company(path: Path, vfs: list[str]) -> Iterator[str]:
    """Who keeps virtual functions from being handed to a VM: all but themselves, and bridges, which VFIO lets alone.

    Before they are there, a bridge tells: where one is in the card's own group, it has no ACS to keep them apart.
    """
    for one in vfs or ["."]:
        for member in names_in(path / one / "iommu_group/devices"):
            device = path.parent / member
            if not (_is_own(device, path.name) if vfs else member == path.name):
                yield f"{member} ({target(device / 'driver') or 'no driver'})"


def _is_own(device: Path, card: str) -> bool:
    return target(device / "physfn") == card or read(device / "class").startswith(_BRIDGE)
