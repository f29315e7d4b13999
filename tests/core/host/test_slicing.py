"""What `doctor` says of each thing that a virtual function needs, on trees of other hosts."""

from __future__ import annotations

from pathlib import Path

import pytest
from isoscope.core.host import Host, devices, vfio
from isoscope.core.host.summary import Row
from isoscope.core.host.summary import devices as section

BUS = "sys/bus/pci/devices"
PF, VF, PORT, DISK = f"{BUS}/0000:01:00.0", f"{BUS}/0000:01:10.0", f"{BUS}/0000:00:01.0", f"{BUS}/0000:01:00.1"
GROUPS = "sys/kernel/iommu_groups"

#: A card with one virtual function, each in a group of its own, on a host that lacks nothing.
GOOD = {
    f"{PF}/class": "0x020000\n",
    f"{PF}/modalias": "pci:v00008086d000010C9\n",
    f"{PF}/driver": "-> ../../../drivers/igb",
    f"{PF}/net/enp1s0/": "",
    f"{PF}/sriov_totalvfs": "7\n",
    f"{PF}/iommu_group": "-> ../../../../kernel/iommu_groups/14",
    f"{PF}/virtfn0": "-> ../0000:01:10.0",
    f"{VF}/class": "0x020000\n",
    f"{VF}/physfn": "-> ../0000:01:00.0",
    f"{VF}/iommu_group": "-> ../../../../kernel/iommu_groups/15",
    f"{PORT}/class": "0x060400\n",
    f"{PORT}/driver": "-> ../../../drivers/pcieport",
    f"{DISK}/class": "0x010000\n",
    f"{DISK}/driver": "-> ../../../drivers/ahci",
    f"{GROUPS}/14/devices/0000:01:00.0": "",
    f"{GROUPS}/15/devices/0000:01:10.0": "",
    "sys/bus/pci/drivers/vfio-pci/": "",
    "proc/interrupts": "  0:  22  0  IR-IO-APIC  2-edge  timer\n",
}


def rows(root: Path) -> list[Row]:
    """What is said under `Devices`."""
    return list(section(Host(root / "home", root=root)).rows)


def bad(root: Path) -> Row:
    """The one row that is not good."""
    [found] = [row for row in rows(root) if row.good is False]
    return found


def without(*names: str) -> dict[str, str]:
    return {name: text for name, text in GOOD.items() if not name.startswith(names)}


def test_a_host_that_lacks_nothing(tree) -> None:
    told = rows(tree(GOOD))
    assert [row.name for row in told] == ["iommu", "sr-iov", "vfio-pci", "remapping"]
    assert told[1].text == "0000:01:00.0 (igb enp1s0): 1 of 7 virtual functions, IOMMU group 14"
    assert all(row.good and not row.remedy for row in told)


def test_a_host_without_cards_is_told_nothing_of_them(tree) -> None:
    root = tree({f"{PF}/class": "0x020000\n", f"{PF}/driver": "-> ../../../drivers/e1000e"})
    told = rows(root)
    assert [row.name for row in told] == ["iommu", "sr-iov"]
    assert told[1] == Row("sr-iov", "no device has virtual functions")


def test_no_iommu(tree) -> None:
    row = bad(tree({**without(GROUPS, f"{PF}/iommu_group", f"{VF}/iommu_group"), "proc/cpuinfo": "vendor_id : X\n"}))
    assert row.name == "iommu"
    assert "intel_iommu=on" in row.remedy


def test_a_card_without_driver(tree) -> None:
    row = bad(tree(without(f"{PF}/driver")))
    assert (row.name, row.remedy) == ("sr-iov", "modprobe pci:v00008086d000010C9")
    assert "(no driver enp1s0)" in row.text


def test_no_vfio(tree) -> None:
    release = {"proc/sys/kernel/osrelease": "6.1.0-cloud\n", "lib/modules/6.1.0-cloud/modules.dep": "kernel/x.ko:\n"}
    row = bad(tree({**without("sys/bus/pci/drivers/vfio-pci"), **release}))
    assert row.name == "vfio-pci"
    assert "6.1.0-cloud" in row.remedy


@pytest.mark.parametrize(
    ("listing", "line"),
    [
        ("modules.dep", "kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/drivers/vfio/vfio.ko.xz\n"),
        ("modules.builtin", "kernel/drivers/vfio/pci/vfio-pci.ko\n"),
    ],
)
def test_a_module_that_can_be_loaded_is_enough(tree, listing: str, line: str) -> None:
    root = tree({"proc/sys/kernel/osrelease": "6.1.0\n", f"lib/modules/6.1.0/{listing}": line})
    assert vfio.vfio(root).driver.available


def test_interrupts_that_are_not_remapped(tree) -> None:
    interrupts = "  0:  22  0  IO-APIC  2-edge  timer\n 24:  1  0  PCI-MSI 512-edge  eth0\n"
    row = bad(tree({**GOOD, "proc/interrupts": interrupts}))
    assert row.name == "remapping"
    assert "intremap=off" in row.remedy


@pytest.mark.parametrize(
    "files",
    [
        {"proc/interrupts": " 24:  1  0  ITS-MSI 512 Edge  eth0\n"},  # of ARM's, which tells devices apart by itself
        {
            "proc/interrupts": "  0:  22  0  IO-APIC  2-edge  timer\n",
            "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts": "Y\n",
        },
    ],
)
def test_interrupts_that_vfio_takes_as_they_are(tree, files) -> None:
    assert vfio.vfio(tree(files)).remapping.available


def test_a_function_that_is_not_alone(tree) -> None:
    members = {f"{GROUPS}/15/devices/{name}": "" for name in ("0000:00:01.0", "0000:01:00.0", "0000:01:00.1")}
    row = bad(tree({**GOOD, **members}))
    assert row.name == "isolation"
    assert row.text.endswith("share an IOMMU group with 0000:01:00.0 (igb), 0000:01:00.1 (ahci)"), (
        "bridges do not count"
    )
    assert "ACS" in row.remedy


def test_a_card_behind_a_port_without_acs(tree) -> None:
    """There is no virtual function yet; the port in the card's group tells."""
    row = bad(tree({**without(VF, f"{PF}/virtfn0"), f"{GROUPS}/14/devices/0000:00:01.0": ""}))
    assert row.name == "isolation"
    assert "IOMMU group with 0000:00:01.0 (pcieport): so may its functions be" in row.text


def test_a_card_without_room_for_its_functions(tree) -> None:
    own = ["0x00000000fe800000 0x00000000fe8fffff 0x0000000000140204\n"] * 7
    windows = ["0x0000000000000000 0x000000000000ffff 0x0000000020140204\n", *["0x0 0x0 0x0\n"] * 5]
    row = bad(tree({**GOOD, f"{PF}/resource": "".join(own + windows)}))
    assert "no memory set aside" in row.text
    assert "Above 4G" in row.remedy


def test_a_card_with_room_for_its_functions(tree) -> None:
    line = "0x00000000fe800000 0x00000000fe8fffff 0x0000000000140204\n"
    [card] = devices.sriov(tree({**GOOD, f"{PF}/resource": line * 13 + line.replace("0x00000000001", "0x00000000201")}))
    assert card.room, "what follows the windows for virtual functions is another's"


@pytest.mark.parametrize(
    ("driver", "said"), [("mlx5_core", "has no virtual functions, though it could"), ("e1000e", None), ("", None)]
)
def test_a_card_whose_functions_are_switched_off(tree, driver: str, said: str | None) -> None:
    card = {f"{PF}/class": "0x020000\n", f"{PF}/driver": f"-> ../../../drivers/{driver or 'none'}"}
    found = [one.reason for one in devices.unsliced(tree(card))]
    assert found == ([said] if said else [])


def test_a_virtual_function_has_none_itself(tree) -> None:
    vf = {f"{VF}/driver": "-> ../../../drivers/mlx5_core"}
    assert devices.unsliced(tree({**GOOD, **vf})) == ()


@pytest.mark.parametrize(
    ("total", "said"),
    [(0, "has no virtual functions, though it could"), (8, "has virtual functions of which the kernel knows nothing")],
)
def test_a_capability_that_the_kernel_does_not_show(tree, total: int, said: str) -> None:
    root = tree({f"{PF}/class": "0x020000\n"})
    (root / PF / "config").write_bytes(space(total))
    [card] = devices.unsliced(root)
    assert card.reason == said
    told = [row for row in rows(root) if row.name == "sr-iov"]
    assert told[0].text == f"0000:01:00.0 (no driver) {said}"


@pytest.mark.parametrize(
    "config", [b"", bytes(64), bytes(4096), b"\xff" * 4096, (0x10010003).to_bytes(4, "little") * 1024]
)
def test_a_configuration_space_that_tells_nothing(tree, config: bytes) -> None:
    root = tree({f"{PF}/class": "0x020000\n"})
    (root / PF / "config").write_bytes(config)
    assert devices.unsliced(root) == ()


def space(total: int) -> bytes:
    """A configuration space with two extended capabilities: AER, and SR-IOV behind it."""
    config = bytearray(4096)
    config[0x100:0x104] = (0x0001 | 1 << 16 | 0x160 << 20).to_bytes(4, "little")
    config[0x160:0x164] = (0x0010 | 1 << 16).to_bytes(4, "little")
    config[0x16E:0x170] = total.to_bytes(2, "little")
    return bytes(config)
