"""Whole /sys trees: one recorded on the emulated host, others laid out as the kernel documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from isoscope.backends.sriov.pci import Pci

TREES = Path(__file__).parent / "trees"


def grow(root: Path, entries: Mapping[str, str]) -> None:
    """Files, links (`-> TARGET`) and directories (a name with a slash behind it)."""
    for name, content in entries.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        elif content.startswith("-> "):
            path.symlink_to(content.removeprefix("-> "))
        else:
            path.write_text(content)


def function(
    address: str,
    *,
    group: int | None,
    kind: int = 0x02,
    driver: str = "",
    interface: str = "",
    total_vfs: int = 0,
    vfs: tuple[str, ...] = (),
    physical: str = "",
) -> dict[str, str]:
    """One function's entries, as Documentation/ABI/testing/sysfs-bus-pci has them."""
    device = f"sys/bus/pci/devices/{address}"
    entries = {f"{device}/class": f"{kind:#04x}0000\n", f"{device}/vendor": "0x8086\n", f"{device}/device": "0x10fb\n"}
    entries[f"{device}/driver_override"] = "(null)\n"
    if driver:
        entries[f"{device}/driver"] = f"-> ../../drivers/{driver}"
        entries[f"sys/bus/pci/drivers/{driver}/unbind"] = ""
    if group is not None:
        entries[f"{device}/iommu_group"] = f"-> ../../../../kernel/iommu_groups/{group}"
        entries[f"sys/kernel/iommu_groups/{group}/devices/{address}"] = f"-> ../../../../bus/pci/devices/{address}"
    if interface:
        entries[f"{device}/net/{interface}/"] = ""
    if total_vfs:
        entries |= {f"{device}/sriov_totalvfs": f"{total_vfs}\n", f"{device}/sriov_numvfs": f"{len(vfs)}\n"}
        entries[f"{device}/sriov_drivers_autoprobe"] = "1\n"
        entries |= {f"{device}/virtfn{number}": f"-> ../{vf}" for number, vf in enumerate(vfs)}
    if physical:
        entries[f"{device}/physfn"] = f"-> ../{physical}"
    return entries


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Pci]:
    """A host of the given functions."""

    def make(*entries: Mapping[str, str]) -> Pci:
        for some in entries:
            grow(tmp_path, some)
        return Pci(tmp_path)

    return make


@pytest.fixture
def igb(tmp_path: Path) -> Pci:
    """The emulated host with three virtual functions, the first of them bound to igbvf."""
    grow(tmp_path, json.loads((TREES / "igb.json").read_text()))
    return Pci(tmp_path)
