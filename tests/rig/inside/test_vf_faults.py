"""What goes wrong with virtual functions, or is done wrong to them: the card is afterwards what it was before."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import pytest
from isoscope.backends.sriov import VfNetwork, settings, vf_terms
from isoscope.backends.sriov.journal import Journal, claimant
from isoscope.backends.sriov.pci import VFIO, Pci
from isoscope.backends.sriov.terms import OPTIONS
from isoscope.core import Lab
from isoscope.core.errors import HostError, InputError, InstanceFailed
from isoscope.core.registry import Registry

from .card import CARD, PF, SLEEP, held, killed, lease, of_others, state, write

pytestmark = pytest.mark.skipif(CARD is None, reason="this host has no card with virtual functions: isoscope rig has")

RUN = (
    "import sys; from isoscope.core.cli.main import main; "
    "sys.exit(main(['run', '-b', 'vm:network=vf', '--', 'sh', '-c', 'echo ready; exec sleep infinity']))"
)

#: All that changes the card, the journal before it included.
WRITES = ((Pci, "_write"), (settings, "write"), (settings, "write_device"), (settings, "set_up"), (Journal, "save"))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab for all tests: to find out what a backend lacks takes seconds on the emulated host."""
    with Lab() as lab:
        yield lab


@pytest.fixture(autouse=True)
def unchanged(lab: Lab) -> Iterator[None]:
    """The card is as it was, whatever happened, when the lab has no use for it any more."""
    before = state()
    yield
    VfNetwork(lab.home).close()
    assert state() == before


def test_a_vm_that_is_killed_gives_back_what_others_made(lab: Lab) -> None:
    with of_others() as vfs:
        before = state()
        with lab.start(SLEEP, "vm") as instance:
            assert lease(instance)["function"] == vfs[0]
            [pid, *_] = instance.processes()
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(InstanceFailed, match="stopped"):
                instance.wait(120)
        VfNetwork(lab.home).close()
        assert state() == before


def test_a_lab_that_is_killed_while_a_vm_has_a_function(lab: Lab) -> None:
    with subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        try:
            assert victim.stdout.readline() == "ready\n"
        finally:
            victim.kill()
    assert any(function.driver == VFIO for function in Pci().functions())
    assert f"restored the card {PF.name}" in lab.gc()


def test_functions_that_are_taken_away_while_a_container_has_one(lab: Lab) -> None:
    with lab.start(SLEEP, "container") as instance:
        write(PF / "sriov_numvfs", "0")
        gone = instance.exec(("test", "-e", "/sys/class/net/eth0"))
        assert gone.wait(120).exit_status == 1
        with pytest.raises(InputError, match="no virtual function"):
            lab.create(SLEEP, f"container:pf={PF.name}")


def test_functions_that_somebody_else_has_made_meanwhile_stay(lab: Lab) -> None:
    with lab.start(SLEEP, "container:vfs=1"):
        write(PF / "sriov_numvfs", "0")
        write(PF / "sriov_numvfs", "2")
    VfNetwork(lab.home).close()
    card = Pci().function(PF.name)
    assert (len(card.vfs), card.autoprobe) == (2, True)
    write(PF / "sriov_numvfs", "0")


def test_a_function_that_somebody_holds_is_given_back_when_they_end(lab: Lab) -> None:
    """Somebody has taken the container's function from its driver: to unbind it would block until they end."""
    instance = lab.start(SLEEP, "container:vfs=1")
    function = lease(instance)["function"]
    with held(function) as holder:
        with pytest.raises(HostError, match=rf"{function} is in use by process {holder.pid} \(python"):
            instance.delete()
        assert claimant(PF.name) is not None
    instance.delete()


def test_a_card_of_which_somebody_holds_a_function_is_restored_when_they_end(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    with lab.start(SLEEP, "container:vfs=2"):
        other = Pci().function(PF.name).vfs[-1]
    with held(other) as holder:
        with caplog.at_level(logging.WARNING):
            VfNetwork(lab.home).close()
        assert f"{other} is in use by process {holder.pid}" in caplog.text
        assert len(Pci().function(PF.name).vfs) == 2
        [kept] = VfNetwork(lab.home).sweep([])
        assert kept.startswith(f"kept the card {PF.name} as it is: {other} is in use by process {holder.pid}")
    write(PF.parent / other / "driver/unbind", other)
    assert VfNetwork(lab.home).sweep([]) == [f"restored the card {PF.name}"]


@pytest.fixture
def netns() -> Iterator[int]:
    """A network namespace, as a container has one."""
    words = ["unshare", "--net", "sh", "-c", "echo ready; read _"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        descriptor = os.open(f"/proc/{holder.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        yield descriptor
        os.close(descriptor)
        holder.communicate()


@pytest.mark.parametrize(("to_vm", "before", "vfs"), [(False, nullcontext, "1"), (True, of_others, "")])
def test_whenever_the_lab_is_killed_the_card_is_as_before_after_gc(
    lab: Lab, netns: int, *, to_vm: bool, before: Callable[[], AbstractContextManager[Any]], vfs: str
) -> None:
    """All that is done to a card for an instance, without the instance: it would only add to the time."""
    terms = vf_terms({**{option.name: option.default for option in OPTIONS}, "vfs": vfs})

    def work() -> None:
        record = Registry(lab.home).create(name="", variant="container", workload={}, image="")
        network = VfNetwork(lab.home)
        own = network.lease(record, terms, to_vm=to_vm)
        if to_vm:  # as libvirt does
            Pci().unbind(own.function)
            Pci().bind(own.function, VFIO)
        else:
            network.connect(own, netns)
        network.release(record)
        network.close()

    with before():
        expected = state()
        step = 1
        while killed(partial(count_to, step, work)):
            VfNetwork(lab.home).sweep([])  # which `gc` calls
            assert state() == expected, f"killed before write {step}"
            step += 1
        assert step > 10, "there is more than that to write"
        assert state() == expected
    lab.gc()  # the records


def count_to(step: int, work: Callable[[], None]) -> None:
    """Do something, and be killed before its `step`-th write."""
    count = 0

    def before(real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)

        return counted

    for owner, name in WRITES:
        setattr(owner, name, before(getattr(owner, name)))
    work()
