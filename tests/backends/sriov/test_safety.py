"""Each refusal, on cards that the kernel would show so."""

from __future__ import annotations

import pytest
from isoscope.backends.sriov.links import Links
from isoscope.backends.sriov.pci import Pci
from isoscope.backends.sriov.safety import check_card, check_group, why_taken
from isoscope.core.errors import HostError, InputError

from tests.backends.sriov.conftest import function

PF = "0000:01:00.0"
VF = "0000:01:10.0"
FREE = Links(up=frozenset({"lo"}))


def card(tree, **changes):
    facts = {"group": 1, "driver": "ixgbe", "interface": "enp1s0", "total_vfs": 63, **changes}
    return tree(function(PF, **facts)).function(PF)


def test_a_card_that_nobody_uses_is_taken(tree) -> None:
    check_card(card(tree), FREE, wanted=2, force=False)


@pytest.mark.parametrize(
    ("links", "said"),
    [
        (Links(default_routes=frozenset({"enp1s0"})), "enp1s0 .* carries this host's default route"),
        (Links(addresses={"enp1s0": ("192.0.2.1/24",)}), "enp1s0 .* is in use: it has 192.0.2.1/24"),
        (Links(addresses={"enp1s0": ("2001:db8::1/64",)}), "is in use: it has 2001:db8::1/64"),
        (Links(masters={"enp1s0": "bond0"}), "is part of bond0"),
    ],
)
def test_a_card_that_the_host_uses_is_refused_unless_forced(tree, links: Links, said: str) -> None:
    found = card(tree)
    with pytest.raises(InputError, match=said):
        check_card(found, links, wanted=1, force=False)
    check_card(found, links, wanted=1, force=True)


def test_an_address_that_the_kernel_gives_to_every_device_is_no_use(tree) -> None:
    links = Links(addresses={"enp1s0": ("fe80::1/64",)}, up=frozenset({"enp1s0"}))
    check_card(card(tree), links, wanted=1, force=False)


@pytest.mark.parametrize("force", [False, True])
def test_more_than_the_card_has_is_refused(tree, force: bool) -> None:
    with pytest.raises(InputError, match="at most 63 virtual functions, not 64"):
        check_card(card(tree), FREE, wanted=64, force=force)


def test_functions_that_others_made_are_not_taken_away(tree) -> None:
    found = card(tree, vfs=(VF,))
    with pytest.raises(InputError, match="has 1 virtual functions already"):
        check_card(found, FREE, wanted=2, force=True)
    check_card(found, FREE, wanted=1, force=False)


def test_a_card_without_a_driver_is_refused(tree) -> None:
    with pytest.raises(HostError, match="has no driver"):
        check_card(card(tree, driver=""), FREE, wanted=1, force=True)


@pytest.mark.parametrize(
    ("facts", "links", "said"),
    [
        ({"driver": "vfio-pci"}, FREE, "handed out already"),
        ({"driver": "ixgbevf"}, FREE, "in another network namespace"),
        ({"driver": "ixgbevf", "interface": "enp1s0v0"}, Links(up=frozenset({"enp1s0v0"})), "in use as enp1s0v0"),
        ({"driver": "ixgbevf", "interface": "enp1s0v0"}, Links(masters={"enp1s0v0": "br0"}), "in use as enp1s0v0"),
        ({"driver": "ixgbevf", "interface": "enp1s0v0"}, FREE, ""),
        ({}, FREE, ""),
    ],
)
def test_who_has_a_virtual_function(tree, facts, links: Links, said: str) -> None:
    pci: Pci = tree(function(VF, group=2, physical=PF, **facts))
    found = why_taken(pci.function(VF), links)
    assert said in found
    assert bool(found) == bool(said)


def test_a_group_of_its_own_is_given_away(igb: Pci) -> None:
    check_group(igb, igb.function("0000:01:10.2"))


def test_a_function_without_a_group_is_not_given_away(tree) -> None:
    pci = tree(function(VF, group=None, physical=PF))
    with pytest.raises(HostError, match="is in no IOMMU group"):
        check_group(pci, pci.function(VF))


def test_a_group_with_a_device_of_others_is_not_given_away(tree) -> None:
    """A multi-function card behind a port without ACS: all of it is one group."""
    others = (
        function(PF, group=7, driver="ixgbe", total_vfs=63, vfs=(VF,)),
        function("0000:01:00.1", group=7, kind=0x01),
    )
    pci = tree(*others, function(VF, group=7, physical=PF))
    with pytest.raises(HostError, match=r"also holds 0000:01:00.0 \(ixgbe\), 0000:01:00.1 \(no driver\)"):
        check_group(pci, pci.function(VF))


def test_a_bridge_in_the_group_does_not_matter(tree) -> None:
    pci = tree(function("0000:00:03.0", group=7, kind=0x06, driver="pcieport"), function(VF, group=7, physical=PF))
    check_group(pci, pci.function(VF))


def test_a_sibling_in_the_group_must_not_be_in_use(tree) -> None:
    sibling = {"group": 7, "physical": PF}
    free = tree(function(VF, **sibling), function("0000:01:10.2", **sibling))
    check_group(free, free.function(VF))
    busy = tree(function("0000:01:10.4", **sibling, driver="ixgbevf"))
    with pytest.raises(HostError, match=r"0000:01:10.4, which ixgbevf uses"):
        check_group(busy, busy.function(VF))
