"""Functions as sysfs shows them."""

from __future__ import annotations

import pytest
from isoscope.backends.sriov.pci import NETWORK, Pci
from isoscope.core.errors import HostError, NotFound

from tests.backends.sriov.conftest import function


def test_the_recorded_card(igb: Pci) -> None:
    [card] = igb.physical_functions()
    assert (card.address, card.driver, card.total_vfs, card.autoprobe) == ("0000:01:00.0", "igb", 7, False)
    assert card.vfs == ("0000:01:10.0", "0000:01:10.2", "0000:01:10.4")
    first, second, _ = map(igb.function, card.vfs)
    assert (first.driver, first.physical, first.kind, first.total_vfs) == ("igbvf", card.address, NETWORK, 0)
    assert (second.driver, second.interfaces) == ("", ())
    assert len(first.interfaces) == 1
    assert len({one.group for one in (card, first, second)}) == 3, "each stands in a group of its own"
    assert [one.address for one in igb.group(first.group or 0)] == [first.address]


def test_more_than_nine_virtual_functions_stand_in_the_order_of_their_numbers(tree) -> None:
    vfs = tuple(f"0000:03:{number >> 3:02x}.{number & 7}" for number in range(2, 14))
    card = function("0000:03:00.0", group=1, driver="mlx5_core", interface="enp3s0", total_vfs=16, vfs=vfs)
    pci = tree(card, *(function(vf, group=2 + n, physical="0000:03:00.0") for n, vf in enumerate(vfs)))
    assert pci.function("0000:03:00.0").vfs == vfs


@pytest.mark.parametrize("address", ["0000:09:00.0", "", "..", "../devices/0000:01:00.0"])
def test_a_function_that_does_not_exist(igb: Pci, address: str) -> None:
    with pytest.raises(NotFound):
        igb.function(address)


def test_a_driver_that_does_not_take_a_function_is_told(tree) -> None:
    pci = tree(function("0000:01:10.0", group=1), {"sys/bus/pci/drivers_probe": ""})
    with pytest.raises(HostError, match=r"vfio-pci does not take 0000:01:10\.0"):
        pci.bind("0000:01:10.0", "vfio-pci")


def test_what_cannot_be_written_is_told_with_its_path(tree) -> None:
    pci = tree(function("0000:01:00.0", group=1))
    with pytest.raises(HostError, match="sriov_numvfs: No such file"):
        pci.set_vf_count("0000:01:00.0", 1)
