"""Which QEMU the rig runs on."""

from __future__ import annotations

from pathlib import Path

import pytest
from isoscope.core.errors import HostError
from isoscope.rig import emulator as emulators
from isoscope.rig.emulator import emulator


def qemu(path: Path, answer: str) -> Path:
    """A program that answers `-device igb,help` so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


def test_the_hosts_own_is_taken_when_it_has_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = qemu(tmp_path / "bin" / emulators.PROGRAM, "igb options:")
    monkeypatch.setenv("PATH", str(own.parent))
    assert emulator(tmp_path / "home").command() == [str(own)]


def test_else_one_that_was_fetched_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = qemu(tmp_path / "bin" / emulators.PROGRAM, "qemu: Device 'igb' not found")
    monkeypatch.setenv("PATH", f"{own.parent}:/usr/bin:/bin")
    tree = tmp_path / "home/cache/rig/qemu"
    fetched = qemu(tree / "usr/bin" / emulators.PROGRAM, "igb options:")
    assert emulator(tmp_path / "home").command()[:2] == [str(fetched), "-L"]


def test_a_system_without_a_newer_one_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    release = {"PRETTY_NAME": "Debian 11", "VERSION_CODENAME": "bullseye"}
    monkeypatch.setattr(emulators.platform, "freedesktop_os_release", lambda: release)
    with pytest.raises(HostError, match="the QEMU of Debian 11 does not emulate"):
        emulator(tmp_path / "home")
    assert not (tmp_path / "home/cache/rig/qemu").exists()


def test_one_that_does_not_run_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulators.shutil, "which", lambda _: None)
    program = qemu(tmp_path / "home/cache/rig/qemu/usr/bin" / emulators.PROGRAM, "")
    program.write_text("#!/bin/sh\necho 'cannot open shared object file' >&2\n")
    with pytest.raises(HostError, match="does not run: cannot open shared object file"):
        emulator(tmp_path / "home")
