"""Bare boots: what is executed, how an end is read, and one real QEMU of each kind of guest."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from isoscope.backends.boot.instance import BootInstance, end_left_behind
from isoscope.backends.boot.machine import MACHINES, Machine
from isoscope.core import Exit, Instance, Lab, Resources, Status, Workload
from isoscope.core.errors import InputError, InstanceFailed
from isoscope.testing.conformance import LifecycleConformance

GUEST = Workload(image="base", command=("true",))


def machine(**terms: object) -> Machine:
    given = {
        "name": "isoscope-test",
        "emulator": "qemu-system-x86_64",
        "type": "pc",
        "firmware": "qboot",
        "accelerator": "tcg",
        "memory": 256 << 20,
        "kernel": Path("/k"),
        "initrd": Path("/i"),
        "stays": False,
        "tsc_khz": 2_600_000,
    }
    return Machine(**{**given, **terms})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", MACHINES)
def test_every_machine_ends_at_the_port_and_says_nothing(kind: str) -> None:
    command = machine(type=kind).command()
    after = dict(pairwise(command))
    assert after["-machine"].startswith(f"{kind},acpi=off")
    assert after["-device"] == "isa-debug-exit,iobase=0xf4,iosize=0x4"
    assert after["-serial"] == "none"
    assert after["-m"] == "size=262144k"
    assert "8250.nr_uarts=0" in after["-append"].split()
    assert "tsc_early_khz=2600000" in after["-append"].split()


def test_firmware_accelerator_and_a_guest_that_stays() -> None:
    assert "-bios" not in machine(firmware="seabios").command()
    on_hardware = machine(accelerator="kvm").command()
    assert on_hardware[on_hardware.index("-cpu") + 1] == "host"
    assert "no_timer_check" not in on_hardware[-1].split()
    staying = machine(type="microvm", stays=True).command()
    assert "isa-serial=off" not in staying[staying.index("-machine") + 1]
    assert "isoscope_stays=1" in staying[-1].split()


@pytest.mark.parametrize(
    ("variant", "said"),
    [("qemu-boot:machine=microvm,firmware=seabios", "microvm"), ("qemu-boot:memory=16M", "too little for a kernel")],
)
def test_what_cannot_be_booted_is_refused(lab: Lab, variant: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        lab.create(GUEST, variant)


@pytest.fixture
def fake(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """An instance whose QEMU is a script that ends as the test says."""
    instance = lab.create(GUEST, "qemu-boot")
    assert isinstance(instance, BootInstance)
    script = tmp_path / "qemu"
    script.write_text('#!/bin/sh\necho "qemu: no" >&2\nexit $STATUS\n')
    script.chmod(0o755)
    monkeypatch.setattr(instance, "_machine", machine(emulator=str(script)))
    yield instance
    instance.delete()


@pytest.mark.parametrize(("status", "code"), [(85, 0), (0, 1), (1, 1), (3, 3)])
def test_only_the_port_is_a_success(fake: Instance, monkeypatch: pytest.MonkeyPatch, status: int, code: int) -> None:
    monkeypatch.setenv("STATUS", str(status))
    fake.start()
    assert fake.wait(20) == Exit(code=code)
    moments = fake.timeline.moments
    assert moments["ready"] == moments["exit"], "QEMU's complaint was taken for a sign of the guest"


def test_an_emulator_that_is_not_there(fake: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "_machine", machine(emulator="/no/such/qemu"))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(InstanceFailed, match="No such file"):
        fake.start()
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_a_dead_owner_left_is_ended_and_nothing_else() -> None:
    stray, other = (
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", f"guest={mark}"])
        for mark in ("isoscope-stray", "isoscope-stray-not")
    )
    try:
        end_left_behind("isoscope-stray")
        assert stray.wait(10) == -9
        assert other.poll() is None
    finally:
        for process in (stray, other):
            process.kill()
            process.wait()


class TestBoot(LifecycleConformance):
    backend = "qemu-boot:machine=q35"


def test_a_guest_that_stays(lab: Lab) -> None:
    workload = Workload(image="base", command=("true",), resources=Resources(memory=128 << 20))
    with lab.create(workload, "qemu-boot:guest=stays") as instance:
        instance.start()
        instance.wait_ready(120)
        assert instance.status is Status.RUNNING
        [pid] = instance.processes()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert b"guest=" + instance.record.mark.encode() in command
        assert (instance.stats().memory or 0) > 20 << 20
        assert instance.stop().signal == 15
    assert not Path(f"/proc/{pid}").exists()
