"""IOMMU groups and SR-IOV devices in a tree that stands in for another host's /sys."""

from __future__ import annotations

from pathlib import Path

import pytest
from isoscope.core.host import Host, devices

PF = "sys/bus/pci/devices/0000:01:00.0"


def test_a_device_with_virtual_functions(tree) -> None:
    vfs = {f"{PF}/virtfn{index}": f"-> ../0000:01:{index + 16:02x}.0" for index in range(11)}
    root = tree(
        {
            f"{PF}/sriov_totalvfs": "63\n",
            f"{PF}/driver": "-> ../../../drivers/igb",
            f"{PF}/iommu_group": "-> ../../../kernel/iommu_groups/14",
            f"{PF}/net/enp1s0/": "",
            "sys/bus/pci/devices/0000:00:1f.0/": "",
            "sys/bus/pci/devices/0000:02:00.0/sriov_totalvfs": "0\n",
        }
        | vfs
    )
    (device,) = devices.sriov(root)
    assert (device.address, device.driver, device.total_vfs) == ("0000:01:00.0", "igb", 63)
    assert device.interfaces == ("enp1s0",)
    assert device.iommu_group == 14
    assert device.vfs[:3] == ("0000:01:10.0", "0000:01:11.0", "0000:01:12.0"), "in the order of their numbers"
    assert len(device.vfs) == 11


def test_a_device_without_driver_group_or_functions(tree) -> None:
    (device,) = devices.sriov(tree({f"{PF}/sriov_totalvfs": "7\n"}))
    assert (device.driver, device.iommu_group, device.vfs, device.interfaces) == ("", None, (), ())


@pytest.mark.parametrize("text", ["", "many\n", "-1\n"])
def test_a_number_that_is_none(tree, text: str) -> None:
    assert devices.sriov(tree({f"{PF}/sriov_totalvfs": text})) == ()


def test_iommu_groups(tree) -> None:
    root = tree({"sys/kernel/iommu_groups/0/": "", "sys/kernel/iommu_groups/1/": "", "sys/class/iommu/dmar0/": ""})
    found = devices.iommu(root)
    assert (found.groups, found.units, found.active, found.reason) == (2, ("dmar0",), True, "")


@pytest.mark.parametrize(("vendor", "setting"), [("GenuineIntel", "intel_iommu=on"), ("AuthenticAMD", "AMD-Vi")])
def test_no_iommu(tree, vendor: str, setting: str) -> None:
    found = devices.iommu(tree({"proc/cpuinfo": f"vendor_id : {vendor}\n"}))
    assert not found.active
    assert setting in found.remedy


def test_this_host(home: Path) -> None:
    host = Host(home)
    groups = Path("/sys/kernel/iommu_groups")
    assert host.iommu.groups == (len(list(groups.iterdir())) if groups.is_dir() else 0)
    assert all(Path("/sys/bus/pci/devices", device.address).exists() for device in host.sriov)
