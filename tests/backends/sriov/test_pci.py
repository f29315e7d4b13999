"""Functions as sysfs shows them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from isoscope.backends.sriov import pci as pci_module
from isoscope.backends.sriov.pci import NETWORK, Pci
from isoscope.core.errors import HostError, NotFound

from tests.backends.sriov.conftest import function, planted
from tests.backends.sriov.sysfs import grow, listing

CARD = "0000:03:00.0"
VF = "0000:03:10.0"


def test_the_recorded_card(igb: Pci) -> None:
    [card] = igb.physical_functions()
    assert (card.address, card.driver, card.total_vfs, card.autoprobe) == ("0000:01:00.0", "igb", 7, False)
    assert card.vfs == ("0000:01:10.0", "0000:01:10.2", "0000:01:10.4")
    first, second, _ = map(igb.function, card.vfs)
    assert (first.driver, first.physical, first.kind, first.total_vfs) == ("igbvf", card.address, NETWORK, 0)
    assert (second.driver, second.override, second.interfaces) == ("", "", ())
    assert len(first.interfaces) == 1
    assert len({one.group for one in (card, first, second)}) == 3, "each stands in a group of its own"
    assert [one.address for one in igb.group(first.group or 0)] == [first.address]


def test_two_ports_of_one_card_are_two_cards(tree) -> None:
    pci = tree("ixgbe")
    first, second = pci.physical_functions()
    assert (first.interfaces, second.interfaces) == (("enp3s0f0",), ("enp3s0f1",))
    assert (len(first.vfs), len(second.vfs), second.total_vfs) == (3, 0, 63)
    assert {vf.physical for vf in map(pci.function, first.vfs)} == {first.address}
    assert [vf.override for vf in map(pci.function, first.vfs)] == ["", "vfio-pci", ""]


def test_the_driver_of_physical_and_virtual_functions_may_be_one(tree) -> None:
    pci = tree("mlx5")
    [card] = pci.physical_functions()
    assert card.interfaces == ("ens1f0np0",)
    assert not card.switched
    assert {pci.function(vf).driver for vf in card.vfs} == {card.driver}
    assert [pci.function(vf).interfaces for vf in card.vfs] == [(), ("ens1f0v1",), ("ens1f0v2",)]


def test_a_representor_is_no_network_device_of_the_card(tree) -> None:
    facts = planted("mlx5")["0000:3b:00.0"]
    ports = {"ens1f0np0": "p0", "ens1f0_0": "pf0vf0", "ens1f0_1": "c1pf0sf9"}
    card = tree("mlx5", {"0000:3b:00.0": {**facts, "net": sorted(ports), "ports": ports}}).function("0000:3b:00.0")
    assert card.interfaces == ("ens1f0np0",)
    assert card.switched


def test_more_than_nine_virtual_functions_stand_in_the_order_of_their_numbers(tree) -> None:
    vfs = [f"0000:03:{number >> 3:02x}.{number & 7}" for number in range(2, 14)]
    card = function(CARD, group=1, driver="mlx5_core", net=["enp3s0"], sriov={"total": 16, "vfs": vfs})
    pci = tree(card, *(function(vf, group=2 + n) for n, vf in enumerate(vfs)))
    assert pci.function(CARD).vfs == tuple(vfs)


def test_one_that_was_removed_behind_the_cards_back_keeps_the_others_numbers(tree, host: Path) -> None:
    """Its link stays: `remove` of Documentation/ABI/testing/sysfs-bus-pci tells the card nothing."""
    pci = tree("ixgbe")
    (host / "sys/bus/pci/devices" / VF).unlink()
    assert [number for number, _ in pci.virtual_functions(pci.function("0000:03:00.0"))] == [1, 2]


@pytest.mark.parametrize(
    ("name", "card", "places"),
    [
        ("ixgbe", "0000:03:00.1", ["0000:03:10.1", "0000:03:10.3", "0000:03:10.5"]),
        ("mlx5", "0000:3b:00.0", ["0000:3b:00.6", "0000:3b:00.7", "0000:3b:01.0"]),
        ("multifunction", "0000:05:00.0", ["0000:05:02.0", "0000:05:02.1", "0000:05:02.2"]),
    ],
)
def test_where_virtual_functions_will_be(tree, name: str, card: str, places: list[str]) -> None:
    assert tree(name).addresses_to_be(card, 3) == places


def test_routing_ids_go_on_on_the_next_bus(tree) -> None:
    pci = tree(function("0000:03:1f.7", sriov={"total": 4, "offset": 1, "stride": 256}))
    assert pci.addresses_to_be("0000:03:1f.7", 2) == ["0000:04:00.0", "0000:05:00.0"]


def test_a_card_that_does_not_tell_where_they_will_be(tree) -> None:
    assert tree(function(CARD, sriov={"total": 4})).addresses_to_be(CARD, 2) == []


@pytest.mark.parametrize("address", ["0000:09:00.0", "", "..", "../devices/0000:01:00.0"])
def test_a_function_that_does_not_exist(igb: Pci, address: str) -> None:
    with pytest.raises(NotFound):
        igb.function(address)


@pytest.mark.parametrize("before", ["", "ixgbevf"])
def test_a_driver_that_does_not_take_a_function_is_told_and_the_override_is_as_before(tree, before: str) -> None:
    pci = tree(function(VF, group=1, override=before or "(null)"))
    with pytest.raises(HostError, match=r"vfio-pci does not take 0000:03:10\.0"):
        pci.bind(VF, "vfio-pci")
    assert pci.function(VF).override == before


def test_what_cannot_be_written_is_told_with_its_path(tree, host: Path) -> None:
    pci = tree(function(CARD, group=1))
    before = listing(host)
    with pytest.raises(HostError, match=r"cannot write '1' to .*sriov_numvfs: No such file"):
        pci.set_vf_count(CARD, 1)
    with pytest.raises(HostError, match="sriov_drivers_autoprobe: No such file"):
        pci.set_autoprobe(CARD, on=True)
    assert listing(host) == before


def test_a_driver_that_does_not_let_go_keeps_nobody(tree, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A FIFO that nobody reads blocks its writer, as the kernel does."""
    pci = tree("ixgbe")
    driver = host / "sys/bus/pci/drivers/ixgbevf/unbind"
    driver.unlink()
    os.mkfifo(driver)
    monkeypatch.setattr(pci_module, "_LETTING_GO", 0.2)
    try:
        with pytest.raises(HostError, match="some driver does not let go"):
            pci.unbind(VF)
    finally:
        os.close(os.open(driver, os.O_RDONLY))  # whoever waits in there gets on


def test_what_nobody_has_open_has_no_user(tree, host: Path) -> None:
    pci = tree("ixgbe")
    assert pci.user(31) == "", "no such node: nobody ever could"
    grow(host, {"dev/vfio/31": ""})
    assert pci.user(31) == ""
    assert pci.user(None) == ""


def test_who_has_a_group_open_is_named(tree, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pci = tree("ixgbe")
    grow(host, {"dev/vfio/31": "", "proc/77/comm": "qemu-system-x86\n", "proc/77/fd/9": "-> /dev/vfio/31"})
    grow(host, {"proc/78/comm": "sh\n", "proc/78/fd/9": "-> /dev/vfio/3", "proc/self/fd/1": "-> /dev/vfio/31"})

    def busy(*_: object) -> int:
        raise OSError(16, "Device or resource busy")  # no file but VFIO's says so

    monkeypatch.setattr(os, "open", busy)
    assert pci.user(31) == "process 77 (qemu-system-x86)"
    assert pci.user(32) == "a process that cannot be seen from here"
