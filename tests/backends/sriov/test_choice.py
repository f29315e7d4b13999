"""Which card, and which of its functions."""

from __future__ import annotations

import pytest
from isoscope.backends.sriov.choice import choose_card, choose_function
from isoscope.backends.sriov.lease import VfTerms
from isoscope.backends.sriov.links import Links
from isoscope.core.errors import HostError, InputError

NOTHING = Links(up=frozenset({"lo"}))
CARD, FIRST, LAST = "0000:03:00.0", "0000:03:10.0", "0000:03:10.4"


def test_what_an_instance_has_is_passed_over(tree) -> None:
    pci = tree("ixgbe")
    card = pci.function(CARD)
    number, vf = choose_function(pci, card, NOTHING, {}, to_vm=True)
    assert (number, vf.address) == (0, FIRST)
    number, vf = choose_function(pci, card, NOTHING, {FIRST: "abc"}, to_vm=True)
    assert (number, vf.address) == (2, LAST), "the one between is in somebody's VM"
    with pytest.raises(
        InputError, match=f"no virtual function of {CARD} is free: {FIRST} is instance abc's"
    ) as refused:
        choose_function(pci, card, NOTHING, {FIRST: "abc", LAST: "def"}, to_vm=True)
    assert "isoscope gc" in refused.value.hint


def test_a_group_that_an_instance_has_a_function_of_is_passed_over(tree) -> None:
    pci = tree("bridge")
    with pytest.raises(HostError, match=r"also holds 0000:07:10\.0, which another instance uses"):
        choose_function(pci, pci.function("0000:07:00.0"), NOTHING, {"0000:07:10.0": "abc"}, to_vm=True)


def test_the_first_that_may_be_touched_is_taken(tree) -> None:
    pci = tree("ixgbe", "mlx5")
    assert choose_card(pci, NOTHING, VfTerms(), to_vm=True).address == CARD
    used = Links(routes={"enp3s0f0": ("default",)})
    assert choose_card(pci, used, VfTerms(), to_vm=True).address == "0000:03:00.1"
    used = Links(routes={"enp3s0f0": ("default",)}, masters={"enp3s0f1": "bond0"})
    assert choose_card(pci, used, VfTerms(), to_vm=True).address == "0000:3b:00.0"
    assert choose_card(pci, used, VfTerms(card="enp3s0f1", force=True), to_vm=True).address == "0000:03:00.1"


def test_where_none_may_be_the_first_refusal_is_told(tree) -> None:
    used = Links(routes={"enp3s0f0": ("default",)}, masters={"enp3s0f1": "bond0"})
    with pytest.raises(InputError, match=r"enp3s0f0 .* carries this host's default route"):
        choose_card(tree("ixgbe"), used, VfTerms(), to_vm=False)
