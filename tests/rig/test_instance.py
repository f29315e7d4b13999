"""An emulated host that does not come up says why, and at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from isoscope.core import Lab, Mount, Workload
from isoscope.core.errors import InputError, InstanceFailed
from isoscope.images.guest import Guest
from isoscope.rig import backend as backends
from isoscope.rig.emulator import Emulator
from isoscope.rig.machine import Machine

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def no_supplies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is built: what is booted in here is no machine."""
    guest = Guest(tmp_path / "guest/kernel", tmp_path / "guest/initrd", "6.1", "none", pvh=True)
    monkeypatch.setattr(backends, "supply", lambda *_: (Emulator(Path("/bin/sh")), guest))


def test_a_qemu_that_ends_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "command", lambda _: ["sh", "-c", "echo 'cannot set up guest memory' >&2; exit 1"])
    with pytest.raises(InstanceFailed, match="stopped: QEMU said: cannot set up guest memory"):
        lab.start(Workload(command=("true",)), "rig")


def test_a_qemu_that_ends_without_a_word(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "command", lambda _: ["true"])
    with pytest.raises(InstanceFailed, match="it ended before its workload"):
        lab.start(Workload(command=("true",)), "rig")


def test_a_file_cannot_be_shown(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is not a directory: QEMU serves no others"):
        lab.create(Workload(command=("true",), mounts=(Mount.parse(f"{tmp_path}/file:/x"),)), "rig")


def test_trouble_of_its_kernel_is_told(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    with lab.create(Workload(command=("true",)), "rig") as instance:
        console = instance.record.directory / "console.log"
        console.write_bytes(b"fine\r\n[    2.1] BUG: scheduling while atomic: swapper/0\x1b\r\n")
    assert "so try again: [    2.1] BUG: scheduling while atomic: swapper/0" in caplog.text
