"""One card, three consumers: the host, a container and a VM, and what is done to the card under them.

The VM is booted once, and the tests follow each other. Run inside the rig, by `tests/rig/test_rig.py`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from isoscope.backends.sriov import settings
from isoscope.backends.sriov.pci import Pci
from isoscope.core import Instance, Lab

from .card import CARD, PF, PORT, SLEEP, gateway, lease, reaches, state, write

pytestmark = pytest.mark.skipif(CARD is None, reason="this host has no card with virtual functions: isoscope rig has")


@pytest.fixture(scope="module")
def three() -> Iterator[tuple[Instance, Instance]]:
    """One card, three consumers: a container, a VM, and the host. What happens to them is the tests', in order."""
    before = state()
    with Lab() as lab, lab.start(SLEEP, "container") as container, lab.start(SLEEP, "vm") as machine:
        yield container, machine
    assert state() == before


def test_each_has_a_function_with_the_terms_that_were_set(three: tuple[Instance, Instance]) -> None:
    container, machine = three
    for instance, driver in ((container, "igbvf"), (machine, "vfio-pci")):
        terms = lease(instance)
        assert settings.read(PORT, terms["number"])["mac"] == terms["mac"]
        function = Pci().function(terms["function"])
        assert function.driver == driver
        assert function.interfaces == (), "its network device is not the host's"
        show = instance.exec(("grep", "-qi", terms["mac"], "/sys/class/net/eth0/address"))
        assert show.wait(120).exit_status == 0
    assert lease(container)["function"] != lease(machine)["function"]
    proof = machine.proof()
    assert (proof["network_driver"], proof["network_mac"]) == ("igbvf", lease(machine)["mac"])


def test_each_reaches_the_others(three: tuple[Instance, Instance]) -> None:
    container, machine = three
    for instance, other in ((container, machine), (machine, container)):
        assert reaches(instance, gateway(instance))
        assert reaches(instance, lease(other)["address"])


def test_they_reach_each_other_again_after_the_card_was_down(three: tuple[Instance, Instance]) -> None:
    container, machine = three
    settings.set_up(PORT, up=False)
    settings.set_up(PORT, up=True)
    assert reaches(container, gateway(container))
    assert reaches(machine, gateway(machine))


def test_a_card_that_is_reset_under_them_keeps_them_alive(three: tuple[Instance, Instance]) -> None:
    write(PF / "reset", "1")
    for instance in three:
        assert instance.exec(("true",)).wait(120).exit_status == 0


def test_a_function_that_is_taken_away_under_a_vm_goes_when_the_vm_does(three: tuple[Instance, Instance]) -> None:
    """The kernel keeps whoever takes it waiting until VFIO's user has let go; the container's goes at once.

    What the fixture compares at its end is what this leaves behind.
    """
    container, machine = three
    taker = subprocess.Popen(["sh", "-c", f"echo 0 > {PF}/sriov_numvfs"])
    try:
        assert machine.exec(("true",)).wait(120).exit_status == 0
        assert container.exec(("true",)).wait(120).exit_status == 0
        machine.delete()
    finally:
        assert taker.wait(120) == 0
    assert Pci().function(PF.name).vfs == ()
