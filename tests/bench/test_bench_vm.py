"""The vm backend against QEMU started by hand, with the same machine, kernel, initrd and disk, turn by turn."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from time import monotonic_ns

import pytest
from isobench.duel import Duel
from isoscope.backends.vm import domain, overlay
from isoscope.backends.vm.control import Control
from isoscope.backends.vm.domain import Machine
from isoscope.backends.vm.endpoint import Endpoint
from isoscope.backends.vm.instance import VmInstance
from isoscope.backends.vm.protocol import PORT, Kind, text
from isoscope.backends.vm.task import Command, Task
from isoscope.core import Lab, Workload
from isoscope.core.rootfs import DEFAULT_PATH

pytestmark = [pytest.mark.root, pytest.mark.vm]

PATIENCE = 120
ROUNDS = 12
WORKLOAD = Workload(command=("echo", "hello"))
COMMAND = Command(WORKLOAD.command, {"PATH": DEFAULT_PATH}, "/", "", None, None)

#: How much longer than bare QEMU a start may take, from start() to ready.
MOST = 1.5


def arguments(machine: Machine) -> list[str]:
    """QEMU's command line, as somebody would write it who knows what libvirt's will be."""
    firmware = ["-bios", str(domain.FIRMWARE)] if machine.pvh else []
    return [
        *(machine.emulator, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", machine.type, "-accel", machine.accelerator, "-cpu", machine.cpu),
        *("-m", f"size={machine.memory}B", "-smp", str(machine.vcpus), *firmware),
        *("-kernel", str(machine.kernel), "-initrd", str(machine.initrd), "-append", domain.command_line(machine)),
        *("-chardev", f"socket,id=console,path={machine.console}", "-serial", "chardev:console"),
        *("-device", "virtio-serial-pci", "-chardev", f"socket,id=control,path={machine.control}"),
        *("-device", f"virtserialport,chardev=control,name={PORT}"),
        *("-drive", f"file={machine.disk},format=qcow2,if=none,id=root", "-device", "virtio-blk-pci,drive=root"),
    ]


def bare(lab: Lab, instance: VmInstance) -> int:
    """Nanoseconds from the start of QEMU to the first byte of the workload's output. The instance lends its files."""
    machine = instance._site.machine(instance.launch, instance._files, None)
    pump = instance.launch.pump
    first: list[int] = []
    seen = threading.Event()

    def saw(_stream: str, _data: bytes, at_ns: int) -> None:
        first.append(at_ns)
        seen.set()

    instance._files.make()
    overlay.copy(instance._site.template, machine.disk)
    serial = Endpoint(machine.console, pump, connected=lambda: None, received=lambda _: None)
    control = Control(machine.control, pump, connected=lambda _: None, configured=lambda _: None, lost=lambda _: None)
    began = monotonic_ns()
    qemu = subprocess.Popen(arguments(machine), stdin=subprocess.DEVNULL)
    try:
        assert control.wait_connected(PATIENCE)
        control.send(Kind.CONFIGURE, payload=text([("hostname", "bare")]))
        control.open(lambda send: Task(COMMAND, send, output=saw)).run()
        assert seen.wait(PATIENCE)
    finally:
        qemu.kill()
        qemu.wait()
        control.close()
        serial.close()
        instance._files.remove()
    return first[0] - began


@pytest.fixture
def lender(lab: Lab) -> Iterator[VmInstance]:
    """An instance that is never started: its record, its files and its machine are lent to bare QEMU."""
    with lab.create(WORKLOAD, "vm") as instance:
        assert isinstance(instance, VmInstance)
        yield instance


def test_vm_ready(duel: Duel, lab: Lab, lender: VmInstance) -> None:
    def ours() -> int:
        with lab.start(WORKLOAD, "vm") as instance:
            instance.wait(PATIENCE)
            span = instance.timeline.span("start", "ready")
            assert span is not None
            return span

    name = f"vm ({lender.proof()['accelerator']})"  # TCG's figures are not KVM's
    found = duel(name, ours, lambda: bare(lab, lender), to="bare QEMU", rounds=ROUNDS)
    duel.limit(name, found.ratio, MOST, "times bare QEMU")
