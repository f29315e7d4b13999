"""Virtual functions of the emulated card, handed out for real. Run inside the rig, by `tests/rig/test_rig.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from isoscope.backends.sriov import settings
from isoscope.core import Lab
from isoscope.core.errors import InputError

from .card import CARD, PF, PORT, SLEEP, gateway, lease, of_others, reaches, run, state

pytestmark = pytest.mark.skipif(CARD is None, reason="this host has no card with virtual functions: isoscope rig has")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab that takes no card: to find out what a backend lacks takes seconds on the emulated host."""
    with Lab() as lab:
        yield lab


@pytest.fixture(autouse=True)
def unchanged() -> Iterator[None]:
    """The card is as it was, whatever happened."""
    before = state()
    yield
    assert state() == before


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
        run("ip", used[0], "del", *used[2:])
        settings.set_up(PORT, up=False)


def test_a_card_that_the_host_uses_is_taken_by_force() -> None:
    settings.set_up(PORT, up=True)
    run("ip", "address", "add", "192.0.2.1/24", "dev", PORT)
    try:
        before = state()
        with Lab() as lab, lab.start(SLEEP, "container:force=yes") as instance:
            assert reaches(instance, gateway(instance))
        assert state() == before
    finally:
        run("ip", "address", "del", "192.0.2.1/24", "dev", PORT)
        settings.set_up(PORT, up=False)


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
    with Lab() as other, other.start(SLEEP, "container") as instance:
        assert lease(instance)["function"] in place, "it was known before it was made"
        told = "\n".join(step.text for step in lab.plan(SLEEP, "container"))
        assert "igbvf, IOMMU group" in told
        assert f"of its own: instance {instance.record.id}'s" in told
