"""Virtual functions of the emulated card, handed out for real. Run inside the rig, by `tests/rig/test_rig.py`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from isoscope.backends.sriov import settings
from isoscope.backends.sriov.journal import Journal
from isoscope.backends.sriov.links import Links
from isoscope.backends.sriov.pci import Pci
from isoscope.core import Lab, Workload
from isoscope.core.errors import InputError
from isoscope.core.workload import Network

CARD = next(Pci().physical_functions(), None)

pytestmark = pytest.mark.skipif(CARD is None, reason="this host has no card with virtual functions: isoscope rig has")

SLEEP = Workload(command=("sh", "-c", "echo ready; exec sleep infinity"), network=Network.VF)


def state() -> dict[str, Any]:
    """All that may be changed: the functions with their drivers, and the host's network devices."""
    links = Links.read()
    addresses = {
        name: tuple(sorted(a for a in found if not a.startswith("fe80"))) for name, found in links.addresses.items()
    }
    return {"functions": Pci().functions(), "up": links.up, "addresses": {n: a for n, a in addresses.items() if a}}


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab that leaves the card as it was."""
    before = state()
    with Lab() as lab:
        yield lab
    assert state() == before


def gateway() -> str:
    """The host's own address on the card."""
    assert CARD is not None
    [address] = [text for text in Links.read().addresses[CARD.interfaces[0]] if ":" not in text]
    return address.partition("/")[0]


@pytest.mark.parametrize("backend", ["container", "vm"])
def test_an_instance_has_the_function_and_reaches_the_card(lab: Lab, backend: str) -> None:
    assert CARD is not None
    with lab.start(SLEEP, backend) as instance:
        lease = instance.record.resources["network"]
        assert settings.read(CARD.interfaces[0], lease["number"])["mac"] == lease["mac"]
        function = Pci().function(lease["function"])
        assert function.driver == {"container": "igbvf", "vm": "vfio-pci"}[backend]
        assert function.interfaces == (), "its network device is not the host's"
        if backend == "vm":
            assert instance.proof()["network_driver"] == "igbvf"
            assert instance.proof()["network_mac"] == lease["mac"]
        ping = instance.exec(("ping", "-c", "1", "-w", "30", gateway()))
        assert ping.wait(120).exit_status == 0
        show = instance.exec(("grep", "-qi", lease["mac"], "/sys/class/net/eth0/address"))
        assert show.wait(120).exit_status == 0


def test_one_card_serves_the_host_a_container_and_a_vm_at_once(lab: Lab) -> None:
    with lab.start(SLEEP, "container") as first, lab.start(SLEEP, "vm") as second:
        leases = [one.record.resources["network"] for one in (first, second)]
        assert len({lease["function"] for lease in leases}) == 2
        for one, other in ((first, leases[1]), (second, leases[0])):
            assert one.exec(("ping", "-c", "1", "-w", "30", other["address"])).wait(120).exit_status == 0


def test_a_vm_that_is_killed_gives_its_function_back(lab: Lab) -> None:
    with lab.start(SLEEP, "vm") as instance:
        [pid, *_] = instance.processes()
        os.kill(pid, signal.SIGKILL)


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


def test_a_card_that_the_host_uses_is_refused(lab: Lab) -> None:
    assert CARD is not None
    settings.set_up(CARD.interfaces[0], up=True)
    os.system(f"ip address add 192.0.2.1/24 dev {CARD.interfaces[0]}")
    try:
        with pytest.raises(InputError, match=r"is in use: it has 192\.0\.2\.1/24"):
            lab.create(SLEEP, "container")
    finally:
        os.system(f"ip address del 192.0.2.1/24 dev {CARD.interfaces[0]}")
        settings.set_up(CARD.interfaces[0], up=False)


def killed_at(step: int, work: Callable[[], None]) -> bool:
    """Do something in a child that is killed before its `step`-th write. Returns whether it came to that."""
    child = os.fork()
    if child == 0:
        count = 0

        def before(real: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*arguments: Any, **more: Any) -> Any:
                nonlocal count
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **more)

            return counted

        for owner, name in ((Pci, "_write"), (settings, "write"), (settings, "set_up"), (Journal, "save")):
            setattr(owner, name, before(getattr(owner, name)))
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_whenever_the_lab_is_killed_the_card_is_as_before_after_gc() -> None:
    before = state()

    def work() -> None:
        with Lab() as lab, lab.start(SLEEP, "container"):
            pass

    step = 1
    while killed_at(step, work):
        with Lab() as lab:
            lab.gc()
        assert state() == before, f"killed before write {step}"
        step += 1
    assert step > 10, "there is more than that to write"
    assert state() == before


def test_the_plan_names_the_card_and_touches_nothing(lab: Lab) -> None:
    assert CARD is not None
    before = state()
    told = "\n".join(step.text for step in lab.plan(SLEEP, "vm"))
    assert f"{CARD.interfaces[0]} ({CARD.address}, driver igb, IOMMU group" in told
    assert "7 to its sriov_numvfs" in told
    assert state() == before
