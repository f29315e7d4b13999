"""Virtual functions of the emulated card, handed out for real. Run inside the rig, by `tests/rig/test_rig.py`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from ipaddress import ip_interface
from typing import Any

import pytest
from isoscope.backends.sriov import settings
from isoscope.backends.sriov.links import Links
from isoscope.backends.sriov.pci import Pci
from isoscope.core import Instance, Lab, Workload
from isoscope.core.errors import InputError
from isoscope.core.workload import Network

from .card import CARD, PF, PORT, of_others, run, state, write

pytestmark = pytest.mark.skipif(CARD is None, reason="this host has no card with virtual functions: isoscope rig has")

SLEEP = Workload(command=("sh", "-c", "echo ready; exec sleep infinity"), network=Network.VF)


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab that leaves the card as it was."""
    before = state()
    with Lab() as lab:
        yield lab
    assert state() == before


def lease(instance: Instance) -> dict[str, Any]:
    found: dict[str, Any] = instance.record.resources["network"]
    return found


def gateway() -> str:
    """The host's own address on the card."""
    [address] = [text for text in Links.read().addresses[PORT] if ":" not in text]
    return address.partition("/")[0]


def reaches(instance: Instance, address: str) -> bool:
    return instance.exec(("ping", "-c", "1", "-w", "30", address)).wait(120).exit_status == 0


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
        assert reaches(instance, gateway())
        assert reaches(instance, lease(other)["address"])


def test_they_reach_each_other_again_after_the_card_was_down(three: tuple[Instance, Instance]) -> None:
    container, machine = three
    settings.set_up(PORT, up=False)
    settings.set_up(PORT, up=True)
    assert reaches(container, gateway())
    assert reaches(machine, gateway())


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


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("container:network=vf,vfs=8", "at most 7 virtual functions, not 8"),
        ("container:network=vf,pf=nothing", "'nothing' is no card"),
        ("container:network=vf,vlan=4095", "vlan=4095 is not a number"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_touched(lab: Lab, variant: str, said: str) -> None:
    before = state()
    with pytest.raises(InputError, match=said):
        lab.create(SLEEP, variant)
    assert state() == before


@pytest.mark.parametrize(
    ("used", "said"),
    [
        (("address", "add", "192.0.2.1/24", "dev", PORT), "it has 192.0.2.1/24"),
        (("route", "add", "default", "dev", PORT, "metric", "9"), "it carries this host's default route"),
        (("route", "add", "default", "dev", PORT, "table", "77"), "it carries this host's default route"),
        (("link", "add", "link", PORT, "name", "theirs.9", "type", "vlan", "id", "9"), "theirs.9 is on top of it"),
    ],
)
def test_a_card_that_the_host_uses_is_refused(lab: Lab, used: tuple[str, ...], said: str) -> None:
    settings.set_up(PORT, up=True)
    run("ip", *used)
    try:
        before = state()
        with pytest.raises(InputError, match=f"{PORT} .* is in use: {said}"):
            lab.create(SLEEP, "container")
        assert state() == before
    finally:
        run("ip", used[0], "del", *(used[4:6] if used[0] == "link" else used[2:]))
        settings.set_up(PORT, up=False)


def test_a_card_that_the_host_uses_is_taken_by_force(lab: Lab) -> None:
    settings.set_up(PORT, up=True)
    run("ip", "address", "add", "192.0.2.1/24", "dev", PORT)
    try:
        before = state()
        with Lab() as other, other.start(SLEEP, "container:force=yes") as instance:
            assert reaches(instance, gateway_of(instance))
        assert state() == before
    finally:
        run("ip", "address", "del", "192.0.2.1/24", "dev", PORT)
        settings.set_up(PORT, up=False)


def gateway_of(instance: Instance) -> str:
    """The host's address in the subnet of a lease."""
    own = ip_interface(f"{lease(instance)['address']}/{lease(instance)['prefix_length']}")
    return str(next(own.network.hosts()))


def test_functions_of_others_are_used_and_left_as_they_were() -> None:
    with of_others() as vfs:
        before = state()
        with Lab() as lab, lab.start(SLEEP, "container:vlan=9,trust=on,spoofchk=off") as instance:
            assert lease(instance)["function"] == vfs[0]
            found = settings.read(PORT, 0)
            assert found == {"mac": lease(instance)["mac"], "vlan": settings.tagged(9), "spoofchk": 0, "trust": 1}
        assert state() == before


def test_the_plan_tells_the_card_its_functions_groups_and_drivers_and_touches_nothing(lab: Lab) -> None:
    before = state()
    told = "\n".join(step.text for step in lab.plan(SLEEP, "vm"))
    assert f"card {PORT}: {PF.name}, driver igb, IOMMU group" in told
    assert "7 to its sriov_numvfs" in told
    [place] = [line for line in told.splitlines() if line.startswith("that makes")]
    assert state() == before
    with lab.start(SLEEP, "container") as instance:
        assert lease(instance)["function"] in place, "it was known before it was made"
        told = "\n".join(step.text for step in lab.plan(SLEEP, "container"))
        assert "igbvf, IOMMU group" in told
        assert f"of its own: instance {instance.record.id}'s" in told
