"""What VFIO needs beside an IOMMU: its driver, and interrupts that are remapped (Documentation/driver-api/vfio.rst)."""

from __future__ import annotations

from pathlib import Path

from isoscope.core.host.facts import Feature, Vfio
from isoscope.core.host.files import read

_UNSAFE = "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"


def vfio(root: Path) -> Vfio:
    """Whether VFIO can hand a device to a VM here, as far as the kernel tells beforehand."""
    return Vfio(_driver(root), _remapping(root))


def _driver(root: Path) -> Feature:
    if (root / "sys/bus/pci/drivers/vfio-pci").is_dir():
        return Feature(True)
    modules = root / "lib/modules" / read(root / "proc/sys/kernel/osrelease")
    if any("/vfio-pci.ko" in read(modules / name) for name in ("modules.dep", "modules.builtin")):
        return Feature(True)
    remedy = f"install the module for {modules.name}: on Debian, boot linux-image-amd64, which has every driver"
    return Feature(False, "the kernel has no driver vfio-pci, which hands devices to VMs", remedy)


def _remapping(root: Path) -> Feature:
    """On x86, the names of interrupt controllers behind a remapping unit begin with IR; elsewhere all are safe."""
    controllers = read(root / "proc/interrupts").split()
    remapped = any(word.startswith("IR-") for word in controllers)
    if remapped or "IO-APIC" not in controllers or read(root / _UNSAFE) == "Y":
        return Feature(True)
    return Feature(
        False,
        "interrupts are not remapped: VFIO refuses, for a device could raise any of the host's",
        "enable interrupt remapping (with VT-d or AMD-Vi) in the firmware's set-up, and boot without intremap=off",
    )
