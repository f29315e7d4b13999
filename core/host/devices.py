"""IOMMU groups and SR-IOV devices, as sysfs shows them (Documentation/ABI/testing/sysfs-bus-pci of the kernel)."""

from __future__ import annotations

from pathlib import Path

from isoscope.core.host.facts import Iommu, SriovDevice
from isoscope.core.host.files import cpuinfo, names_in, number


def iommu(root: Path) -> Iommu:
    """The groups that devices are in."""
    units = tuple(names_in(root / "sys/class/iommu"))
    groups = len(names_in(root / "sys/kernel/iommu_groups"))
    if groups:
        return Iommu(groups, units)
    vendor = cpuinfo(root).get("vendor_id", "")
    setting = "amd_iommu=on" if vendor == "AuthenticAMD" else "intel_iommu=on"
    remedy = f"enable VT-d or AMD-Vi in the firmware, and boot with {setting} iommu=pt on the kernel's command line"
    return Iommu(0, units, "no device is in an IOMMU group", remedy)


def sriov(root: Path) -> tuple[SriovDevice, ...]:
    """The PCI functions that can split themselves into virtual functions, by address."""
    devices = root / "sys/bus/pci/devices"
    found = ((number(devices / name / "sriov_totalvfs"), devices / name) for name in names_in(devices))
    return tuple(_device(path, total) for total, path in found if total)


def _device(path: Path, total_vfs: int) -> SriovDevice:
    vfs = sorted((name for name in names_in(path) if name.startswith("virtfn")), key=lambda n: int(n[len("virtfn") :]))
    group = _target(path / "iommu_group")
    return SriovDevice(
        address=path.name,
        driver=_target(path / "driver"),
        total_vfs=total_vfs,
        vfs=tuple(_target(path / name) for name in vfs),
        interfaces=tuple(names_in(path / "net")),
        iommu_group=int(group) if group.isdecimal() else None,
    )


def _target(link: Path) -> str:
    """Last part of what a link points to; empty when there is none."""
    try:
        return link.readlink().name
    except OSError:
        return ""
